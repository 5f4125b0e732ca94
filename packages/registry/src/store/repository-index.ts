import { Conflict, InvalidArgument } from "@boxship/base";
import { type Compare, keyAfter, type Operation, prefixRange, type Store } from "@boxship/store";
import type { Quotas } from "../policy/quotas.ts";
import { decodeRecord } from "./records.ts";

/** One part of a list that is ordered by name. */
export interface Page {
  readonly names: readonly string[];
  /** Whether more follow the last one. */
  readonly more: boolean;
}

export interface PageRequest {
  /** At most so many. @default all */
  readonly limit?: number;
  /** Those after this one. */
  readonly after?: string;
}

/** The records of repositories, and what they count against their quotas. */
export class RepositoryIndex {
  readonly #index: Store;
  readonly #quotas: Quotas | undefined;

  constructor(index: Store, quotas: Quotas | undefined) {
    this.#index = index;
    this.#quotas = quotas;
  }

  /** A record. */
  async get<T>(key: string): Promise<T | undefined> {
    const [item] = (await this.#index.range({ start: key })).items;
    return item === undefined ? undefined : (decodeRecord(item) as T);
  }

  /**
   * Does what puts `key` against the quota.
   *
   * @param work tells whether the key is new
   */
  async within(
    repository: string,
    key: string,
    size: number,
    work: () => Promise<boolean>,
    taking = () => {},
  ): Promise<void> {
    const quotas = this.#quotas;
    if (quotas === undefined) {
      await work();
      return;
    }
    // Room is taken before, and what others did with the same key meanwhile is set right afterwards.
    const taken = (await this.get(key)) === undefined ? size : 0;
    taking();
    quotas.take(repository, taken);
    let used = 0;
    try {
      used = (await work()) ? size : 0;
    } finally {
      quotas.give(repository, taken - used);
    }
  }

  /** @returns whether `key`, which is one of those put, was not there. @throws what `failed` makes of conditions */
  async transact(
    compare: readonly Compare[],
    operations: readonly Operation[],
    key: string,
    failed?: () => Promise<Error>,
  ): Promise<boolean> {
    const { succeeded, results } = await this.#index.transact({
      compare,
      success: [{ kind: "range", range: { start: key }, options: { countOnly: true } }, ...operations],
    });
    if (!succeeded && failed !== undefined) throw await failed();
    const [before] = results;
    return before?.kind === "range" && before.count === 0;
  }

  /** Conditions of one transaction are limited, so that a manifest of very many layers is looked at in parts first. */
  async commit(
    repository: string,
    there: readonly Compare[],
    operations: readonly Operation[],
    key: string,
  ): Promise<boolean> {
    const LIMIT = 100;
    const last = Math.max(0, Math.ceil(there.length / LIMIT) - 1) * LIMIT;
    for (let from = 0; from < last; from += LIMIT) {
      const compare = there.slice(from, from + LIMIT);
      const { succeeded } = await this.#index.transact({ compare });
      if (!succeeded) throw await this.#missing(repository, compare);
    }
    const compare = there.slice(last);
    return this.transact(compare, operations, key, () => this.#missing(repository, compare));
  }

  async #missing(repository: string, compare: readonly Compare[]): Promise<Error> {
    for (const { key } of compare) {
      if ((await this.get(key)) !== undefined) continue;
      const digest = key.slice(key.lastIndexOf("@") + 1);
      return new InvalidArgument(`the manifest needs ${digest}, which repository ${repository} does not have`, {
        subject: { kind: "manifest blob", name: digest },
        remedy: "push it first",
      });
    }
    return new Conflict(`what the manifest needs was removed from repository ${repository} meanwhile`);
  }

  /** Removes a key and others with it; what it took counts no more, once. */
  async remove(repository: string, key: string, size: number, also: readonly string[]): Promise<void> {
    const { results } = await this.#index.transact({
      success: [key, ...also].map((start) => ({ kind: "delete", range: { start } }) as const),
    });
    const [first] = results;
    if (first?.kind === "delete" && first.deleted > 0) this.#quotas?.give(repository, size);
  }

  /** Names below a prefix, in order. */
  async page(prefix: string, { limit, after }: PageRequest): Promise<Page> {
    if (limit === 0) return { names: [], more: false };
    const { start, end = "" } = prefixRange(prefix);
    const range = { start: after === undefined ? start : keyAfter(prefix + after), end };
    const { items, more } = await this.#index.range(range, { keysOnly: true, limit: limit ?? 0 });
    return { names: items.map(({ key }) => key.slice(prefix.length)), more };
  }
}
