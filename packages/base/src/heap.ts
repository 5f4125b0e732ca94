/** A binary heap: the least item by `compare` is taken first. */
export class Heap<Item> {
  readonly #items: Item[] = [];
  readonly #compare: (left: Item, right: Item) => number;

  constructor(compare: (left: Item, right: Item) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#items.length;
  }

  peek(): Item | undefined {
    return this.#items[0];
  }

  push(item: Item): void {
    let index = this.#items.push(item) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (this.#order(index, parent) >= 0) return;
      this.#swap(index, parent);
      index = parent;
    }
  }

  pop(): Item | undefined {
    const [least] = this.#items;
    const last = this.#items.pop();
    if (last === undefined || this.#items.length === 0) return least;
    this.#items[0] = last;
    this.#sink(0);
    return least;
  }

  #sink(from: number): void {
    let index = from;
    for (;;) {
      const [left, right] = [2 * index + 1, 2 * index + 2];
      let least = index;
      if (left < this.#items.length && this.#order(left, least) < 0) least = left;
      if (right < this.#items.length && this.#order(right, least) < 0) least = right;
      if (least === index) return;
      this.#swap(index, least);
      index = least;
    }
  }

  #order(left: number, right: number): number {
    return this.#compare(this.#items[left] as Item, this.#items[right] as Item);
  }

  #swap(left: number, right: number): void {
    const kept = this.#items[left] as Item;
    this.#items[left] = this.#items[right] as Item;
    this.#items[right] = kept;
  }
}
