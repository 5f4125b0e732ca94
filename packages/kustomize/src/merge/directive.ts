import { BuildFailure } from "../failure.ts";
import type { Node } from "../yaml/node.ts";
import { setElement } from "./elements.ts";

export type Directive = "merge" | "replace" | "delete";

const FIELD = "$patch";

/** What a patch says is to be done with what it is for; the word is taken out of it. */
export function takeDirective(patch: Node | undefined): Directive {
  if (patch === undefined) return "merge";
  const holder = patch.kind === "sequence" ? patch.items.find((item) => item.pair(FIELD) !== undefined) : patch;
  if (holder === undefined || (patch.kind === "sequence" && holder.pairs.length > 1)) return "merge";
  const word = holder.get(FIELD);
  if (word === undefined) return "merge";
  if (word.text !== "delete" && word.text !== "replace" && word.text !== "merge") {
    throw new BuildFailure(`unknown patch strategy '${word.text}'`);
  }
  if (patch.kind === "sequence") setElement(patch, [FIELD], [word.text], undefined);
  else patch.remove(FIELD);
  return word.text;
}
