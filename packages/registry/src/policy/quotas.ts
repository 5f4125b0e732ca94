import { ResourceExhausted } from "@boxship/base";
import type { Store } from "@boxship/store";
import { anyOf, repositoryPattern } from "../access/patterns.ts";
import { eachItem, repositoryOfKey } from "../store/index-walk.ts";
import { decodeRecord } from "../store/records.ts";

/** How much may be in repositories. */
export interface QuotaRule {
  /** Patterns; see {@link repositoryPattern}. */
  readonly repositories: readonly string[];
  /** Bytes of blobs and manifests; what several repositories have counts in each. */
  readonly size: number;
  /** Each repository has so much for itself; else all of them together. @default false */
  readonly each?: boolean;
}

/** Above which part of a quota a push is warned. */
const NEARLY = 0.9;

interface CompiledRule {
  readonly rule: QuotaRule;
  readonly fits: (repository: string) => boolean;
}

/** What repositories have, in memory, as exact as the index: every change of it is told here. */
export class Quotas {
  readonly #rules: readonly CompiledRule[];
  readonly #used: Usage;
  /** Of uploads that have not ended. */
  readonly #coming: Usage;

  private constructor(rules: readonly QuotaRule[]) {
    this.#rules = rules.map((rule) => ({ rule, fits: anyOf(rule.repositories.map(repositoryPattern)) }));
    this.#used = new Usage(this.#rules);
    this.#coming = new Usage(this.#rules);
  }

  /** @throws InvalidArgument for a pattern that is none */
  static async open(rules: readonly QuotaRule[], index: Store): Promise<Quotas> {
    const quotas = new Quotas(rules);
    if (rules.length === 0) return quotas;
    for (const prefix of ["blob/", "manifest/"]) {
      for await (const item of eachItem(index, prefix)) {
        quotas.#used.add(repositoryOfKey(item.key), (decodeRecord(item) as { readonly size: number }).size);
      }
    }
    return quotas;
  }

  /** Bytes that a repository may still take, besides what is coming; Infinity without a rule. */
  room(repository: string): number {
    const used = this.#used.about(repository);
    const coming = this.#coming.about(repository);
    const left = this.#rules.map(({ rule }, index) => rule.size - (used[index] ?? -Infinity) - (coming[index] ?? 0));
    return Math.min(Infinity, ...left);
  }

  /** Takes room for what is pushed. @throws ResourceExhausted; then nothing was taken */
  take(repository: string, bytes: number): void {
    if (bytes > this.room(repository)) throw quotaExceeded(repository, this.room(repository), bytes);
    this.#used.add(repository, bytes);
  }

  give(repository: string, bytes: number): void {
    this.#used.add(repository, -bytes);
  }

  /** More, or with a negative number less, has arrived of uploads that have not ended. */
  expect(repository: string, bytes: number): void {
    this.#coming.add(repository, bytes);
  }

  /** What whoever pushes should know; undefined: nothing. */
  warning(repository: string): string | undefined {
    for (const [index, used] of this.#used.about(repository).entries()) {
      const size = this.#rules[index]?.rule.size ?? Infinity;
      if (used === undefined || used <= size * NEARLY) continue;
      return `repository ${repository} has used ${Math.floor((used / size) * 100)} % of its quota`;
    }
    return undefined;
  }

  /** What each rule allows, and how much of it is used most. */
  usage(): readonly { readonly repositories: string; readonly size: number; readonly used: number }[] {
    return this.#rules.map(({ rule }, index) => {
      return { repositories: rule.repositories.join(" "), size: rule.size, used: this.#used.most(index) };
    });
  }
}

/** Bytes of repositories, and of all together that a rule is about. */
class Usage {
  readonly #rules: readonly CompiledRule[];
  readonly #repositories = new Map<string, number>();
  readonly #totals: number[];

  constructor(rules: readonly CompiledRule[]) {
    this.#rules = rules;
    this.#totals = rules.map(() => 0);
  }

  add(repository: string, bytes: number): void {
    if (this.#rules.length === 0 || bytes === 0) return;
    const left = (this.#repositories.get(repository) ?? 0) + bytes;
    if (left === 0) this.#repositories.delete(repository);
    else this.#repositories.set(repository, left);
    for (const [index, { fits }] of this.#rules.entries()) {
      if (fits(repository)) this.#totals[index] = (this.#totals[index] ?? 0) + bytes;
    }
  }

  /** What counts by each rule; undefined where it is not about the repository. */
  about(repository: string): readonly (number | undefined)[] {
    return this.#rules.map(({ rule, fits }, index) => {
      if (!fits(repository)) return undefined;
      return rule.each === true ? (this.#repositories.get(repository) ?? 0) : this.#totals[index];
    });
  }

  most(index: number): number {
    const { rule, fits } = this.#rules[index] ?? {};
    if (rule?.each !== true) return this.#totals[index] ?? 0;
    return Math.max(0, ...[...this.#repositories].filter(([name]) => fits?.(name)).map(([, bytes]) => bytes));
  }
}

export function quotaExceeded(repository: string, room: number, bytes: number): ResourceExhausted {
  return new ResourceExhausted(
    `repository ${repository} may take ${Math.max(0, room)} bytes more by its quota, and this has ${bytes}`,
    { subject: { kind: "quota", name: repository }, remedy: "delete what is not needed, or have the quota raised" },
  );
}
