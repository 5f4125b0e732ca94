import type { Kind } from "./kind.ts";

/** Whether its version is the one that is kept. */
export const isStored = ({ group, version, storageGroup, storageVersion }: Kind): boolean =>
  group === storageGroup && version === storageVersion;

/**
 * The kinds that are served now: the built-in ones, and whatever CRDs add and take away. A group's versions are in the
 * order of preference.
 */
export class KindRegistry {
  readonly #byResource = new Map<string, Kind>();
  readonly #byKind = new Map<string, Kind>();
  /** What was found by group and plural, until anything changes. */
  readonly #found = new Map<string, Kind>();
  /** Goes up with every change: what discovery documents are made from. */
  #generation = 0;
  #served: { readonly generation: number; readonly versions: ReadonlySet<string> } | undefined;

  constructor(kinds: readonly Kind[]) {
    for (const kind of kinds) this.#put(kind);
  }

  get generation(): number {
    return this.#generation;
  }

  /** Whether there is any kind of a group in a version. */
  serves(group: string, version: string): boolean {
    if (this.#served?.generation !== this.#generation) {
      const versions = new Set([...this.#byResource.values()].map((kind) => `${kind.group}/${kind.version}`));
      this.#served = { generation: this.#generation, versions };
    }
    return this.#served.versions.has(`${group}/${version}`);
  }

  find(group: string, version: string, resource: string): Kind | undefined {
    return this.#byResource.get(`${group}/${version}/${resource}`);
  }

  findKind(group: string, version: string, kind: string): Kind | undefined {
    return this.#byKind.get(`${group}/${version}/${kind}`);
  }

  /** A resource in the version that is kept, or, where that is not served, in any other. */
  findResource(group: string, resource: string): Kind | undefined {
    const name = `${group}/${resource}`;
    const known = this.#found.get(name) ?? this.#lookFor(group, resource);
    if (known !== undefined) this.#found.set(name, known);
    return known;
  }

  #lookFor(group: string, resource: string): Kind | undefined {
    let found: Kind | undefined;
    for (const kind of this.#byResource.values()) {
      if (kind.group !== group || kind.resource !== resource) continue;
      if (isStored(kind)) return kind;
      found ??= kind;
    }
    return found;
  }

  all(): IterableIterator<Kind> {
    return this.#byResource.values();
  }

  /** Adds kinds, or replaces those of the same group, version and plural. */
  put(...kinds: readonly Kind[]): void {
    for (const kind of kinds) this.#put(kind);
    this.#changed();
  }

  /** Takes away what the condition holds for. */
  remove(condition: (kind: Kind) => boolean): void {
    for (const [key, kind] of this.#byResource) {
      if (!condition(kind)) continue;
      this.#byResource.delete(key);
      this.#byKind.delete(`${kind.group}/${kind.version}/${kind.kind}`);
    }
    this.#changed();
  }

  #changed(): void {
    this.#found.clear();
    this.#generation++;
  }

  #put(kind: Kind): void {
    this.#byResource.set(`${kind.group}/${kind.version}/${kind.resource}`, kind);
    this.#byKind.set(`${kind.group}/${kind.version}/${kind.kind}`, kind);
  }
}
