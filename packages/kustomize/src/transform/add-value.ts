import { splitPath } from "../fields/field-spec.ts";
import { demandKind } from "../yaml/kind-error.ts";
import { Node } from "../yaml/node.ts";

/** Writes a text into a field, or as one part of the path that stands there. @param position from 1; 0: the whole field */
export function addValue(root: Node, value: string, fieldPath: string, position: number): void {
  let here = root;
  const steps = splitPath(fieldPath, "/").filter((step) => step.trim() !== "");
  for (const [at, step] of steps.entries()) {
    demandKind(here, "mapping");
    let below = here.get(step);
    if (below === undefined) {
      below = Node.of(at === steps.length - 1 ? "scalar" : "mapping");
      here.set(step, below);
    }
    here = below;
  }
  demandKind(here, "scalar");
  here.write(position > 0 ? insertPart(here.text, position - 1, value) : value);
}

function insertPart(path: string, at: number, part: string): string {
  const isAbsolute = path.startsWith("/");
  const parts = path.split("/").filter((one) => one !== "");
  parts.splice(at < parts.length ? at : parts.length, 0, part);
  return `${isAbsolute ? "/" : ""}${parts.join("/")}`;
}
