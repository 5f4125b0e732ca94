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

/** What repositories have, in memory, as exact as the index: every change of it is told here. */
export class Quotas {
  readonly #rules: readonly { readonly rule: QuotaRule; readonly fits: (repository: string) => boolean }[];
  readonly #used = new Map<string, number>();

  private constructor(rules: readonly QuotaRule[]) {
    this.#rules = rules.map((rule) => ({ rule, fits: anyOf(rule.repositories.map(repositoryPattern)) }));
  }

  /** @throws InvalidArgument for a pattern that is none */
  static async open(rules: readonly QuotaRule[], index: Store): Promise<Quotas> {
    const quotas = new Quotas(rules);
    if (rules.length === 0) return quotas;
    for (const prefix of ["blob/", "manifest/"]) {
      for await (const item of eachItem(index, prefix)) {
        quotas.#add(repositoryOfKey(item.key), (decodeRecord(item) as { readonly size: number }).size);
      }
    }
    return quotas;
  }

  /** Bytes that a repository may still take; Infinity without a rule. */
  room(repository: string): number {
    return Math.min(Infinity, ...this.#about(repository).map(({ size, used }) => size - used));
  }

  /** Takes room for what is pushed. @throws ResourceExhausted; then nothing was taken */
  take(repository: string, bytes: number): void {
    if (bytes > this.room(repository)) throw quotaExceeded(repository, this.room(repository), bytes);
    this.#add(repository, bytes);
  }

  give(repository: string, bytes: number): void {
    this.#add(repository, -bytes);
  }

  /** What whoever pushes should know; undefined: nothing. */
  warning(repository: string): string | undefined {
    for (const { size, used } of this.#about(repository)) {
      if (used <= size * NEARLY) continue;
      return `repository ${repository} has used ${Math.floor((used / size) * 100)} % of its quota`;
    }
    return undefined;
  }

  /** What each rule allows, and how much of it is used most. */
  usage(): readonly { readonly repositories: string; readonly size: number; readonly used: number }[] {
    return this.#rules.map(({ rule, fits }) => {
      const sizes = [...this.#used].filter(([name]) => fits(name)).map(([, used]) => used);
      const used = rule.each === true ? Math.max(0, ...sizes) : sizes.reduce((sum, size) => sum + size, 0);
      return { repositories: rule.repositories.join(" "), size: rule.size, used };
    });
  }

  #about(repository: string): readonly { readonly size: number; readonly used: number }[] {
    return this.#rules
      .filter(({ fits }) => fits(repository))
      .map(({ rule, fits }) => ({
        size: rule.size,
        used:
          rule.each === true
            ? (this.#used.get(repository) ?? 0)
            : [...this.#used].reduce((sum, [name, used]) => (fits(name) ? sum + used : sum), 0),
      }));
  }

  #add(repository: string, bytes: number): void {
    if (this.#rules.length === 0) return;
    const left = (this.#used.get(repository) ?? 0) + bytes;
    if (left > 0) this.#used.set(repository, left);
    else this.#used.delete(repository);
  }
}

export function quotaExceeded(repository: string, room: number, bytes: number): ResourceExhausted {
  return new ResourceExhausted(
    `repository ${repository} may take ${Math.max(0, room)} bytes more by its quota, and this has ${bytes}`,
    { subject: { kind: "quota", name: repository }, remedy: "delete what is not needed, or have the quota raised" },
  );
}
