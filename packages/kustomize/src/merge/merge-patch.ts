import { demandKind } from "../yaml/kind-error.ts";
import { isThere, type Kind, Node, type Pair } from "../yaml/node.ts";
import { type Directive, takeDirective } from "./directive.ts";
import { mergeList } from "./merge-list.ts";
import type { MergeSchema, MergeSchemas } from "./merge-schema.ts";

/**
 * A strategic merge as kustomize does it. It is not what the API server does with a patch of that type: new elements of a
 * list come first, what a patch does not name keeps its place behind them, and there are no directives but `$patch`.
 *
 * @param target changed in place
 * @param patch its parts may become parts of the target
 * @returns undefined where the patch deletes all of it
 */
export function mergePatch(target: Node, patch: Node, schemas: MergeSchemas): Node | undefined {
  return new Merger(schemas).merge(target, patch, undefined);
}

export class Merger {
  readonly #schemas: MergeSchemas;

  constructor(schemas: MergeSchemas) {
    this.#schemas = schemas;
  }

  merge(target: Node | undefined, patch: Node | undefined, known: MergeSchema | undefined): Node | undefined {
    const schema = known ?? this.#schemaOf(target) ?? this.#schemaOf(patch);
    const kind = kindOf(target, patch);
    demandKind(target, kind);
    demandKind(patch, kind);
    if (kind === "scalar") return patch ?? target;
    if (kind === "mapping") return this.#map(target, patch, schema);
    if (schema?.mergeKeys === undefined) return patch ?? target;
    const chosen = choose(target, patch);
    return chosen && mergeList(this, chosen, patch, schema);
  }

  #map(target: Node | undefined, patch: Node | undefined, schema: MergeSchema | undefined): Node | undefined {
    const chosen = choose(target, patch);
    if (chosen === undefined || chosen.kind !== "mapping") return chosen;
    for (const name of fieldNames(chosen, patch)) {
      const value = this.merge(chosen.get(name), patch?.get(name), schema?.field(name));
      if (value === undefined || (value.isNull && !value.kept)) chosen.remove(name);
      else if (value !== chosen.get(name)) chosen.set(name, value);
    }
    return chosen;
  }

  /** By what an object says of itself; one inside of another may, too. */
  #schemaOf(node: Node | undefined): MergeSchema | undefined {
    if (node === undefined || node.kind !== "mapping") return undefined;
    const [apiVersion, kind] = [node.textAt("apiVersion"), node.textAt("kind")];
    return apiVersion === "" || kind === "" ? undefined : this.#schemas.ofKind(apiVersion, kind);
  }
}

function kindOf(target: Node | undefined, patch: Node | undefined): Kind {
  if (isThere(target)) return target.kind;
  return !isThere(patch) ? "mapping" : patch.kind;
}

/** Which of the two what comes out is made of; undefined: nothing comes out. */
function choose(target: Node | undefined, patch: Node | undefined): Node | undefined {
  if (target === undefined || target.isNull) {
    if (patch === undefined && target !== undefined && target.text !== "") {
      const kept = Node.scalar(target.text, target.tag);
      kept.kept = true;
      return kept;
    }
    if (patch?.kind === "mapping" && directiveOfNew(patch) === "delete") return undefined;
    return patch;
  }
  if (patch?.isNull === true) return undefined;
  const directive = takeDirective(patch);
  if (directive === "delete") return undefined;
  return directive === "replace" ? patch : target;
}

/** An unknown word in what is new stays where it is. */
function directiveOfNew(patch: Node): Directive {
  const word = patch.get("$patch")?.text ?? "merge";
  return word === "delete" || word === "replace" || word === "merge" ? takeDirective(patch) : "merge";
}

function fieldNames(target: Node, patch: Node | undefined): readonly string[] {
  const names = ({ key }: Pair): string => key.text;
  return [...new Set([...target.pairs.map(names), ...(patch?.pairs.map(names) ?? [])])].sort();
}
