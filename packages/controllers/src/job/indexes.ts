/** A set of completion indexes, written as `0-2,4`. */
export class Indexes implements Iterable<number> {
  readonly #set: Set<number>;

  constructor(indexes: Iterable<number> = []) {
    this.#set = new Set(indexes);
  }

  /** @param below larger ones are left out */
  static parse(text: string | undefined, below: number): Indexes {
    const found: number[] = [];
    for (const part of (text ?? "").split(",")) {
      const match = /^(\d+)(?:-(\d+))?$/.exec(part);
      if (match === null) continue;
      const last = Math.min(Number(match[2] ?? match[1]), below - 1);
      for (let index = Number(match[1]); index <= last; index++) found.push(index);
    }
    return new Indexes(found);
  }

  get size(): number {
    return this.#set.size;
  }

  has(index: number): boolean {
    return this.#set.has(index);
  }

  add(index: number): void {
    this.#set.add(index);
  }

  [Symbol.iterator](): IterableIterator<number> {
    return this.#set.values();
  }

  /** Three and more in a row are a range. */
  toString(): string {
    const sorted = [...this.#set].sort((left, right) => left - right);
    const parts: string[] = [];
    for (let at = 0; at < sorted.length; ) {
      const first = sorted[at] ?? 0;
      let length = 1;
      while (sorted[at + length] === first + length) length++;
      const last = first + length - 1;
      parts.push(length === 1 ? `${first}` : `${first}${length === 2 ? "," : "-"}${last}`);
      at += length;
    }
    return parts.join(",");
  }
}
