import { PlainRefusal, Refusal } from "../failure.ts";
import type { Session } from "../session.ts";
import type { Mapping } from "./discovery.ts";
import type { Mapper } from "./mapper.ts";

/** What words on a command line name: one object, or all of a resource. */
export interface Target {
  readonly mapping: Mapping;
  /** Empty for all namespaces and for what is in none. */
  readonly namespace: string;
  /** Empty: all that the selectors leave. */
  readonly name: string;
}

export interface TargetOptions {
  /** @default false */
  readonly allNamespaces?: boolean;
  /** Label or field selectors were given, or `delete --all`: names are not allowed. @default false */
  readonly selected?: boolean;
  /** A type alone means all of it. @default true */
  readonly all?: boolean;
}

export const NOTHING_NAMED =
  "You must provide one or more resources by argument or filename.\nExample resource specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'\n   '<resource> <name>'\n   '<resource>'";

const SLASHED =
  "there is no need to specify a resource type as a separate argument when passing arguments in resource/name form (e.g. 'kubectl get resource/<resource_name>' instead of 'kubectl get resource resource/<resource_name>'";

/** Words such as `pods a b`, `pods,svc`, `pods,svc a`, `pod/a svc/b` as targets: type by type, each with its names. */
export async function resolveTargets(
  session: Session,
  words: readonly string[],
  { allNamespaces = false, selected = false, all = true }: TargetOptions = {},
): Promise<readonly Target[]> {
  if (words.length === 0) throw new Refusal(NOTHING_NAMED);
  const { namespace } = await session.cluster();
  const within = (mapping: Mapping): string => (mapping.namespaced && !allNamespaces ? namespace : "");
  const slashed = words.filter((word) => word.includes("/"));
  if (slashed.length > 0) {
    if (slashed.length < words.length) throw new Refusal(SLASHED);
    if (selected)
      throw new PlainRefusal("error: selectors and the all flag cannot be used when passing resource/name arguments");
    const pairs = words.map(splitPair);
    const mapper = await session.mapper();
    return pairs.map(([type, name]) => {
      const mapping = mapper.need(type);
      if (allNamespaces && mapping.namespaced) {
        throw new Refusal("a resource cannot be retrieved by name across all namespaces");
      }
      return { mapping, namespace: within(mapping), name };
    });
  }
  const [types = "", ...names] = words;
  const mappings = expandTypes(await session.mapper(), types);
  if (names.length === 0) {
    if (!all && !selected) throw new Refusal("resource(s) were provided, but no name was specified");
    return mappings.map((mapping) => ({ mapping, namespace: within(mapping), name: "" }));
  }
  if (selected) throw new Refusal("name cannot be provided when a selector is specified");
  return mappings.flatMap((mapping) => {
    if (allNamespaces && mapping.namespaced) {
      throw new Refusal("a resource cannot be retrieved by name across all namespaces");
    }
    return names.map((name) => ({ mapping, namespace: within(mapping), name }));
  });
}

function splitPair(word: string): readonly [string, string] {
  const parts = word.split("/");
  const [type = "", name = ""] = parts;
  if (parts.length !== 2) throw new Refusal(`arguments in resource/name form may not have more than one slash`);
  if (type === "" || name === "") {
    throw new Refusal(`arguments in resource/name form must have a single resource and name`);
  }
  return [type, name];
}

/** `all`, `pods,services`, each word once. */
export function expandTypes(mapper: Mapper, types: string): readonly Mapping[] {
  const found: Mapping[] = [];
  for (const word of types.split(",")) {
    if (word === "") continue;
    const category = mapper.find(word) === undefined ? mapper.category(word) : [];
    for (const mapping of category.length > 0 ? category : [mapper.need(word)]) {
      if (!found.includes(mapping)) found.push(mapping);
    }
  }
  return found;
}
