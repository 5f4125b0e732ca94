import { InvalidArgument } from "@boxship/base/errors";
import type { Node, Tree } from "./node.ts";
import { printNode } from "./print-node.ts";
import { quote } from "./quote.ts";
import type { GoFunc } from "./types.ts";
import type { MaybeValue } from "./value.ts";

/** What a missing map key yields: `<no value>`, the element type's zero value, or an error. */
export type MissingKey = "default" | "zero" | "error";

/** What one execution shares, however many templates it goes through. */
export interface Run {
  readonly trees: ReadonlyMap<string, Tree>;
  readonly functions: ReadonlyMap<string, GoFunc>;
  /** Names of {@link functions} that are the language's own, not replaced by injected ones. */
  readonly builtins: ReadonlySet<string>;
  readonly missingKey: MissingKey;
  readonly maxDepth: number;
  readonly maxSteps: number;
  /** Counts what the execution has used, together with the others that have the same one. */
  readonly budget: Budget;
  /** Appends to the output. */
  readonly write: (text: string) => void;
}

/** What executions have used that belong together, such as a template's and those of the functions that it calls. */
export interface Budget {
  /** Nodes that were visited. */
  steps: number;
  /** Executions within each other at this moment. */
  depth: number;
}

interface Variable {
  readonly name: string;
  value: MaybeValue;
}

/** One template being executed: its variables, and the node that errors point at. */
export class State {
  readonly run: Run;
  readonly tree: Tree;
  readonly depth: number;
  node: Node | undefined;
  readonly #variables: Variable[];

  constructor(run: Run, tree: Tree, dot: MaybeValue, depth: number) {
    this.run = run;
    this.tree = tree;
    this.depth = depth;
    this.#variables = [{ name: "$", value: dot }];
  }

  /** Makes the node the one that errors point at. */
  at(node: Node): void {
    this.node = node;
    this.run.budget.steps++;
    if (this.run.budget.steps > this.run.maxSteps) this.fail(`exceeded maximum number of steps (${this.run.maxSteps})`);
  }

  /** How many variables there are; {@link pop} goes back to it. */
  mark(): number {
    return this.#variables.length;
  }

  pop(mark: number): void {
    this.#variables.length = mark;
  }

  push(name: string, value: MaybeValue): void {
    this.#variables.push({ name, value });
  }

  /** Sets the n-th variable from the top. */
  setTop(n: number, value: MaybeValue): void {
    const variable = this.#variables.at(-n);
    if (variable !== undefined) variable.value = value;
  }

  set(name: string, value: MaybeValue): void {
    this.#find(name).value = value;
  }

  get(name: string): MaybeValue {
    return this.#find(name).value;
  }

  #find(name: string): Variable {
    return this.#variables.findLast((variable) => variable.name === name) ?? this.fail(`undefined variable: ${name}`);
  }

  /** @throws InvalidArgument always, with Go's text */
  fail(problem: string, cause?: unknown): never {
    const { name } = this.tree;
    const message =
      this.node === undefined
        ? `template: ${name}: ${problem}`
        : `template: ${this.#location(this.node)}: executing ${quote(name)} at <${printNode(this.node)}>: ${problem}`;
    throw new InvalidArgument(message, { cause });
  }

  /** Template, line from 1 and byte in the line from 0. */
  #location(node: Node): string {
    const before = this.tree.text.slice(0, node.position);
    const lines = before.split("\n");
    return `${this.tree.parseName}:${lines.length}:${Buffer.byteLength(lines.at(-1) ?? "")}`;
  }
}

/** Whether JavaScript's own stack ran out: how too deep a nesting shows that no counter saw. */
export function isStackOverflow(error: unknown): boolean {
  return error instanceof RangeError && error.message.includes("call stack");
}
