import { PlainRefusal, Refusal } from "../failure.ts";
import { type Discovery, type Mapping, qualifiedResource } from "./discovery.ts";

/** Names on command lines and types in files as resources of the server. */
export class Mapper {
  readonly discovery: Discovery;

  readonly #warn: (text: string) => void;
  readonly #warned = new Set<string>();

  constructor(discovery: Discovery, warn: (text: string) => void) {
    this.discovery = discovery;
    this.#warn = warn;
  }

  /** `deploy`, `deployments.apps`, `deployments.v1.apps`; undefined for what there is not. */
  find(word: string): Mapping | undefined {
    const text = word.toLowerCase();
    const [name = "", second = "", ...rest] = text.split(".");
    if (second === "") return this.#named(name, () => true);
    const group = [second, ...rest].join(".");
    const versioned = this.#named(name, (one) => one.version === second && one.group === rest.join("."));
    return (
      versioned ??
      this.#named(name, (one) => one.group === group) ??
      this.#named(name, (one) => group !== "" && one.group.startsWith(group))
    );
  }

  #named(name: string, fits: (mapping: Mapping) => boolean): Mapping | undefined {
    const all = this.discovery.mappings.filter(fits);
    const short = all.filter(({ shortNames }) => shortNames.includes(name));
    this.#warnOf(name, short);
    return (
      short[0] ??
      all.find(({ resource }) => resource === name) ??
      all.find(({ singular, kind }) => singular === name || (singular === "" && kind.toLowerCase() === name))
    );
  }

  /** Says what else a short name could have meant. */
  #warnOf(name: string, [first, ...others]: readonly Mapping[]): void {
    for (const other of others) {
      const text = `Warning: short name ${JSON.stringify(name)} could also match lower priority resource ${qualifiedResource(other)}`;
      if (other.group === first?.group || this.#warned.has(text)) continue;
      this.#warned.add(text);
      this.#warn(text);
    }
  }

  /** @throws PlainRefusal in kubectl's words */
  need(word: string): Mapping {
    const found = this.find(word);
    if (found !== undefined) return found;
    throw new PlainRefusal(`error: the server doesn't have a resource type ${JSON.stringify(word.toLowerCase())}`);
  }

  byKind(apiVersion: string, kind: string): Mapping | undefined {
    const [group, version] = apiVersion.includes("/") ? apiVersion.split("/", 2) : ["", apiVersion];
    return this.discovery.mappings.find((one) => one.kind === kind && one.group === group && one.version === version);
  }

  /** A built-in resource that must be there. */
  known(group: string, resource: string): Mapping {
    const found = this.discovery.mappings.find((one) => one.group === group && one.resource === resource);
    if (found === undefined) throw new Refusal(`the server does not serve ${resource}`);
    return found;
  }

  /** Resources of a category such as `all`; none where there is no such category. */
  category(name: string): readonly Mapping[] {
    const seen = new Set<string>();
    return this.discovery.mappings.filter((one) => {
      const key = `${one.resource}.${one.group}`;
      if (!one.categories.includes(name) || seen.has(key)) return false;
      seen.add(key);
      return true;
    });
  }
}
