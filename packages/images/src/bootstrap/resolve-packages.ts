import { FailedPrecondition } from "@boxship/base";
import { compareApk } from "@boxship/oci";
import type { Dependency, IndexedPackage } from "./apk-index.ts";
import { parseDependency } from "./apk-index.ts";

/**
 * The packages that are wanted with all that they need, what is needed before what needs it.
 *
 * Each name is one package: the newest that fits, of several that provide a name the one with the highest priority. There
 * is no search beyond that: where the first choice does not fit all, the call fails and says why.
 *
 * @throws FailedPrecondition if something cannot be had, or may not be beside another
 */
export function resolvePackages(
  index: readonly IndexedPackage[],
  wanted: readonly string[],
): readonly IndexedPackage[] {
  return new Resolution(index).run(wanted);
}

class Resolution {
  readonly #index: readonly IndexedPackage[];
  /** Those that provide a name, their own among them. */
  readonly #providers = new Map<string, IndexedPackage[]>();
  /** By name, in the order in which they are installed. */
  readonly #chosen = new Map<string, IndexedPackage>();
  readonly #visiting = new Set<string>();

  constructor(index: readonly IndexedPackage[]) {
    this.#index = index;
    for (const one of index) {
      for (const { name } of [one, ...one.provides]) {
        const known = this.#providers.get(name);
        if (known === undefined) this.#providers.set(name, [one]);
        else if (!known.includes(one)) known.push(one);
      }
    }
  }

  run(wanted: readonly string[]): readonly IndexedPackage[] {
    for (const word of wanted) this.#need(parseDependency(word), "the image");
    while (this.#addTriggered()) continue;
    for (const one of this.#chosen.values()) this.#check(one);
    return [...this.#chosen.values()];
  }

  #need(dependency: Dependency, who: string): void {
    if (dependency.conflict) return;
    const fitting = (this.#providers.get(dependency.name) ?? []).filter((one) => fits(one, dependency));
    if (fitting.some(({ name, version }) => this.#chosen.get(name)?.version === version)) return;
    // A cycle: whoever is at it puts it in.
    if (fitting.some(({ name }) => this.#visiting.has(name))) return;
    const best = fitting.toSorted((a, b) => preferred(dependency.name, a, b))[0];
    if (best === undefined) {
      throw new FailedPrecondition(`${who} needs ${describe(dependency)}, which the repositories do not have`, {
        subject: { kind: "package", name: dependency.name },
        remedy: "name other packages or another release",
      });
    }
    this.#add(best);
  }

  #add(one: IndexedPackage): void {
    const other = this.#chosen.get(one.name);
    if (other !== undefined) {
      throw new FailedPrecondition(`both ${one.name} ${one.version} and ${other.version} are needed`, {
        subject: { kind: "package", name: one.name },
      });
    }
    this.#visiting.add(one.name);
    for (const dependency of one.depends) this.#need(dependency, one.name);
    this.#visiting.delete(one.name);
    this.#chosen.set(one.name, one);
  }

  /** Packages that come along when others are there. @returns whether there was one */
  #addTriggered(): boolean {
    const one = this.#index.find(
      ({ name, installIf }) =>
        installIf.length > 0 && !this.#chosen.has(name) && installIf.every((condition) => this.#isMet(condition)),
    );
    if (one === undefined) return false;
    this.#add(one);
    return true;
  }

  #isMet(dependency: Dependency): boolean {
    const met = [...this.#chosen.values()].some((one) => fits(one, dependency));
    return met !== dependency.conflict;
  }

  #check(one: IndexedPackage): void {
    for (const dependency of one.depends) {
      if (dependency.conflict && fits(one, dependency)) continue;
      if (this.#isMet(dependency)) continue;
      throw new FailedPrecondition(
        dependency.conflict
          ? `${one.name} may not be beside ${dependency.name}`
          : `${one.name} needs ${describe(dependency)}, and another version was chosen`,
        { subject: { kind: "package", name: one.name } },
      );
    }
  }
}

function describe({ name, version }: Dependency): string {
  return version === undefined ? name : `${name}${version.operator}${version.text}`;
}

/** The package of the name itself first, then by priority; the newest of several versions. */
function preferred(name: string, a: IndexedPackage, b: IndexedPackage): number {
  return (
    Number(b.name === name) - Number(a.name === name) ||
    b.providerPriority - a.providerPriority ||
    (a.name < b.name ? -1 : a.name > b.name ? 1 : compareApk(b.version, a.version))
  );
}

function fits(one: IndexedPackage, dependency: Dependency): boolean {
  if (one.name === dependency.name && versionFits(one.version, dependency)) return true;
  return one.provides.some(
    ({ name, version }) =>
      name === dependency.name &&
      (dependency.version === undefined || (version !== undefined && versionFits(version, dependency))),
  );
}

function versionFits(version: string, { version: wanted }: Dependency): boolean {
  if (wanted === undefined) return true;
  const { operator, text } = wanted;
  if (operator.includes("~")) return version === text || isPrefix(text, version);
  const order = Math.sign(compareApk(version, text));
  return (
    (operator.includes("=") && order === 0) ||
    (operator.includes("<") && order < 0) ||
    (operator.includes(">") && order > 0)
  );
}

/** `1.2` of `1.2.3-r0` and `1.2-r0`, not of `1.20`. */
function isPrefix(text: string, version: string): boolean {
  return version.startsWith(text) && !/^\d/.test(version.slice(text.length));
}
