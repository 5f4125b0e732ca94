import type { Complex } from "./value.ts";

/** The syntax tree. `position` is an offset into the text that was parsed. */

interface Located {
  readonly position: number;
}

export interface NumberNode extends Located {
  readonly type: "number";
  readonly text: string;
  /** Each form that the constant can take without loss. */
  readonly int?: bigint;
  readonly uint?: bigint;
  readonly float?: number;
  readonly complex?: Complex;
}

export interface StringNode extends Located {
  readonly type: "string";
  readonly quoted: string;
  readonly text: string;
}

export interface BoolNode extends Located {
  readonly type: "bool";
  readonly value: boolean;
}

export interface DotNode extends Located {
  readonly type: "dot";
}

export interface NilNode extends Located {
  readonly type: "nil";
}

/** `.A.B` */
export interface FieldNode extends Located {
  readonly type: "field";
  readonly names: readonly string[];
}

/** `$x.A.B`; the variable's name comes first and keeps its `$`. */
export interface VariableNode extends Located {
  readonly type: "variable";
  readonly names: readonly string[];
}

/** A function's name. */
export interface IdentifierNode extends Located {
  readonly type: "identifier";
  readonly name: string;
}

/** `(pipeline).A.B` */
export interface ChainNode extends Located {
  readonly type: "chain";
  readonly operand: Operand;
  readonly names: readonly string[];
}

export interface CommandNode extends Located {
  readonly type: "command";
  readonly operands: readonly Operand[];
}

export interface PipeNode extends Located {
  readonly type: "pipe";
  readonly assigns: boolean;
  readonly variables: readonly VariableNode[];
  readonly commands: readonly CommandNode[];
}

export type Operand =
  | NumberNode
  | StringNode
  | BoolNode
  | DotNode
  | NilNode
  | FieldNode
  | VariableNode
  | IdentifierNode
  | ChainNode
  | PipeNode;

export interface TextNode extends Located {
  readonly type: "text";
  readonly text: string;
}

export interface ActionNode extends Located {
  readonly type: "action";
  readonly pipe: PipeNode;
}

export interface BreakNode extends Located {
  readonly type: "break";
}

export interface ContinueNode extends Located {
  readonly type: "continue";
}

/** `if`, `with` and `range` differ only in what they do. */
export interface BranchNode extends Located {
  readonly type: "if" | "with" | "range";
  readonly pipe: PipeNode;
  readonly list: ListNode;
  readonly elseList?: ListNode;
}

export interface TemplateNode extends Located {
  readonly type: "template";
  readonly name: string;
  readonly pipe?: PipeNode;
}

export interface ListNode extends Located {
  readonly type: "list";
  readonly nodes: readonly Statement[];
}

export type Statement = TextNode | ActionNode | BreakNode | ContinueNode | BranchNode | TemplateNode | ListNode;

export type Node = Statement | Operand | CommandNode;

/** A parsed template. */
export interface Tree {
  readonly name: string;
  /** Name of the template whose text this was part of: what errors call it. */
  readonly parseName: string;
  readonly text: string;
  readonly root: ListNode;
}

/** Whether a tree prints nothing but white space: such a definition never replaces another. */
export function isEmptyTree(list: ListNode): boolean {
  return list.nodes.every((node) =>
    node.type === "list" ? isEmptyTree(node) : node.type === "text" && node.text.trim() === "",
  );
}
