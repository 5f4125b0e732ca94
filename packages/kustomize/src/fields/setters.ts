import { demandKind } from "../yaml/kind-error.ts";
import { Node, STR } from "../yaml/node.ts";

/** A scalar's new text; its type is what the text says, unless it was quoted. */
export function writeScalar(field: Node, text: string, tag = ""): void {
  demandKind(field, "scalar");
  field.write(text, tag);
}

/** An entry of a map of texts. */
export function writeEntry(field: Node, key: string, value: string): void {
  demandKind(field, "mapping");
  field.set(key, Node.scalar(value, STR));
}
