import { BuildFailure } from "../failure.ts";
import { emitYaml } from "./emit.ts";
import { isThere, type Kind, type Node } from "./node.ts";

const NAMES: Readonly<Record<Kind, string>> = {
  scalar: "ScalarNode",
  mapping: "MappingNode",
  sequence: "SequenceNode",
};

/** A value of another form than a step needs. */
export class WrongKind extends BuildFailure {
  readonly actual: Kind;

  constructor(node: Node, wanted: Kind) {
    super(`wrong node kind: expected ${NAMES[wanted]} but got ${NAMES[node.kind]}: node contents:\n${emitYaml(node)}`);
    this.actual = node.kind;
  }
}

/** @throws WrongKind; nothing and null are of any form */
export function demandKind(node: Node | undefined, kind: Kind): void {
  if (isThere(node) && node.kind !== kind) throw new WrongKind(node, kind);
}
