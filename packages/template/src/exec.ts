import { printable } from "./builtins.ts";
import { evaluatePipeline } from "./eval.ts";
import { sprint } from "./format.ts";
import type { BranchNode, ListNode, Statement, TemplateNode } from "./node.ts";
import { printNode } from "./print-node.ts";
import { quote } from "./quote.ts";
import { isStackOverflow, type Run, State } from "./state.ts";
import { isSigned, isUnsigned } from "./types.ts";
import {
  elementsOf,
  entriesOf,
  indirect,
  intOf,
  isTrue,
  type MaybeValue,
  stripInterface,
  Value,
  valueOf,
} from "./value.ts";

/** Executes a named template. */
export function execute(run: Run, name: string, data: unknown): void {
  const tree = run.trees.get(name);
  const dot = valueOf(data);
  if (tree === undefined) {
    return new State(
      run,
      { name, parseName: name, text: "", root: { type: "list", position: 0, nodes: [] } },
      dot,
      0,
    ).fail(`${quote(name)} is an incomplete or empty template`);
  }
  const state = new State(run, tree, dot, run.budget.depth);
  run.budget.depth++;
  try {
    if (run.budget.depth > run.maxDepth) state.fail(`exceeded maximum template depth (${run.maxDepth})`);
    walkList(state, dot, tree.root);
  } catch (error) {
    if (isStackOverflow(error)) state.fail(`exceeded maximum template depth (${run.maxDepth})`, error);
    throw error;
  } finally {
    run.budget.depth--;
  }
}

/** Set when a `break` or `continue` is on its way to its range. */
type Jump = "break" | "continue" | undefined;

function walkList(state: State, dot: MaybeValue, list: ListNode): Jump {
  state.at(list);
  for (const node of list.nodes) {
    const jump = walk(state, dot, node);
    if (jump !== undefined) return jump;
  }
  return undefined;
}

function walk(state: State, dot: MaybeValue, node: Statement): Jump {
  state.at(node);
  switch (node.type) {
    case "text":
      state.run.write(node.text);
      return undefined;
    case "action": {
      const value = evaluatePipeline(state, dot, node.pipe);
      if (node.pipe.variables.length === 0) {
        state.at(node);
        print(state, value, node);
      }
      return undefined;
    }
    case "break":
    case "continue":
      return node.type;
    case "if":
    case "with":
      return walkCondition(state, dot, node);
    case "range":
      walkRange(state, dot, node);
      return undefined;
    case "template":
      walkTemplate(state, dot, node);
      return undefined;
    case "list":
      return walkList(state, dot, node);
  }
}

function print(state: State, value: MaybeValue, node: Statement): void {
  const shown = printable(value);
  if (shown.type.kind === "func") state.fail(`can't print ${printNode(node)} of type ${shown.type.name}`);
  state.run.write(sprint([shown]));
}

function walkCondition(state: State, dot: MaybeValue, node: BranchNode): Jump {
  const mark = state.mark();
  const value = evaluatePipeline(state, dot, node.pipe);
  let jump: Jump;
  if (isTrue(stripInterface(value))) jump = walkList(state, node.type === "with" ? value : dot, node.list);
  else if (node.elseList !== undefined) jump = walkList(state, dot, node.elseList);
  state.pop(mark);
  return jump;
}

function walkRange(state: State, dot: MaybeValue, node: BranchNode): void {
  const outer = state.mark();
  const { value } = indirect(evaluatePipeline(state, dot, node.pipe));
  const mark = state.mark();
  let ran = false;
  for (const [index, element] of iterate(state, value, node)) {
    ran = true;
    setIterationVariables(state, node, index, element);
    const jump = walkList(state, element, node.list);
    state.pop(mark);
    if (jump === "break") break;
  }
  // Go counts a branch that was never entered as the range's own: the variables are still there.
  if (!ran && node.elseList !== undefined) walkList(state, dot, node.elseList);
  state.pop(outer);
}

function setIterationVariables(state: State, { pipe }: BranchNode, index: MaybeValue, element: MaybeValue): void {
  const [first, second] = pipe.variables.map((variable) => variable.names[0] ?? "");
  if (first === undefined) return;
  if (!pipe.assigns) {
    state.setTop(1, element);
    if (second !== undefined) state.setTop(2, index);
  } else if (second === undefined) {
    state.set(first, element);
  } else {
    state.set(first, index);
    state.set(second, element);
  }
}

/** Keys and elements in the order of a range. */
function iterate(state: State, value: MaybeValue, node: BranchNode): Iterable<readonly [MaybeValue, MaybeValue]> {
  if (value === undefined) return [];
  const { kind } = value.type;
  if (isSigned(kind) || isUnsigned(kind)) {
    if (node.pipe.variables.length > 1) {
      state.fail(`can't use ${sprint([value])} to iterate over more than one variable`);
    }
    return count(value);
  }
  if (kind === "slice") return elementsOf(value).map((element, index) => [valueOf(BigInt(index)), element] as const);
  if (kind === "map") return entriesOf(value);
  // A nil interface or pointer acts like an empty map only when there is nothing behind it at all.
  return state.fail(`range can't iterate over ${sprint([value])}`);
}

function* count(value: Value): Iterable<readonly [MaybeValue, MaybeValue]> {
  const end = intOf(value);
  for (let at = 0n; at < end; at++) yield [undefined, new Value(value.type, at)];
}

function walkTemplate(state: State, dot: MaybeValue, node: TemplateNode): void {
  const tree = state.run.trees.get(node.name);
  if (tree === undefined) return state.fail(`template ${quote(node.name)} not defined`);
  if (state.depth >= state.run.maxDepth) state.fail(`exceeded maximum template depth (${state.run.maxDepth})`);
  const inner = evaluatePipeline(state, dot, node.pipe);
  walkList(new State(state.run, tree, inner, state.depth + 1), inner, tree.root);
}
