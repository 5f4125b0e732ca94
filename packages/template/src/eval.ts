import { evaluateCall, type Final } from "./call.ts";
import type { ChainNode, CommandNode, Node, NumberNode, Operand, PipeNode } from "./node.ts";
import { printNode } from "./print-node.ts";
import { quote } from "./quote.ts";
import type { State } from "./state.ts";
import { boolType, complexType, float64Type, type GoFunc, intType, stringType } from "./types.ts";
import { fieldOf, indirect, type MaybeValue, mapEntry, stripInterface, Value, zeroOf } from "./value.ts";

/** Evaluates a pipeline and sets the variables that it declares or assigns. */
export function evaluatePipeline(state: State, dot: MaybeValue, pipe: PipeNode | undefined): MaybeValue {
  if (pipe === undefined) return undefined;
  state.at(pipe);
  let final: Final;
  for (const command of pipe.commands) {
    final = { value: stripInterface(evaluateCommand(state, dot, command, final)) };
  }
  const value = final?.value;
  for (const variable of pipe.variables) {
    const name = variable.names[0] ?? "";
    if (pipe.assigns) state.set(name, value);
    else state.push(name, value);
  }
  return value;
}

/** A first word that takes no arguments was given some. */
function refuseArguments(state: State, command: CommandNode, final: Final): void {
  const [first] = command.operands;
  if (first !== undefined && (command.operands.length > 1 || final !== undefined)) {
    state.fail(`can't give argument to non-function ${printNode(first)}`);
  }
}

function evaluateCommand(state: State, dot: MaybeValue, command: CommandNode, final: Final): MaybeValue {
  const [first, ...operands] = command.operands;
  if (first === undefined) return undefined;
  switch (first.type) {
    case "field":
    case "chain":
    case "identifier":
      return evaluateWord(state, dot, first, { operands, final, node: command });
    case "variable":
      if (first.names.length > 1) return evaluateWord(state, dot, first, { operands, final, node: command });
      return evaluateVariable(state, first.names[0] ?? "", command, final);
    case "pipe":
      refuseArguments(state, command, final);
      return evaluatePipeline(state, dot, first);
    case "nil":
      state.at(first);
      refuseArguments(state, command, final);
      return state.fail("nil is not a command");
    default:
      state.at(first);
      refuseArguments(state, command, final);
      return evaluateOperand(state, dot, first);
  }
}

function evaluateVariable(state: State, name: string, command: CommandNode, final: Final): MaybeValue {
  state.at(command.operands[0] ?? command);
  const value = state.get(name);
  refuseArguments(state, command, final);
  return value;
}

/** Arguments of a word that may be a method or a function. */
interface Invocation {
  readonly operands: readonly Operand[];
  readonly final: Final;
  /** What errors of a function call point at. */
  readonly node?: Node;
}

const BARE: Invocation = { operands: [], final: undefined };

type Word = Extract<Operand, { readonly type: "field" | "chain" | "identifier" | "variable" }>;

function evaluateWord(state: State, dot: MaybeValue, word: Word, invocation: Invocation): MaybeValue {
  state.at(word);
  switch (word.type) {
    case "field":
      return evaluateFields(state, dot, { receiver: dot, names: word.names, node: word }, invocation);
    case "variable": {
      const receiver = state.get(word.names[0] ?? "");
      return evaluateFields(state, dot, { receiver, names: word.names.slice(1), node: word }, invocation);
    }
    case "chain":
      return evaluateChain(state, dot, word, invocation);
    case "identifier": {
      const own = state.run.functions.get(word.name);
      if (own === undefined) return state.fail(`${quote(word.name)} is not a defined function`);
      const builtin = state.run.builtins.has(word.name);
      const { operands, final, node = word } = invocation;
      return evaluateCall(state, dot, { name: word.name, function: own, operands, final, node, builtin });
    }
  }
}

/** Any operand without arguments. */
export function evaluateOperand(state: State, dot: MaybeValue, operand: Operand): MaybeValue {
  switch (operand.type) {
    case "dot":
      return dot;
    case "bool":
    case "number":
    case "string":
      return evaluateConstant(state, operand);
    case "nil":
      return undefined;
    case "pipe":
      return evaluatePipeline(state, dot, operand);
    default:
      return evaluateWord(state, dot, operand, BARE);
  }
}

/** A constant by itself: integers are `int`, numbers with a point or an exponent `float64`. */
export function evaluateConstant(
  state: State,
  constant: Extract<Operand, { readonly type: "bool" | "number" | "string" }>,
): MaybeValue {
  state.at(constant);
  if (constant.type === "bool") return new Value(boolType, constant.value);
  if (constant.type === "string") return new Value(stringType, constant.text);
  return idealNumber(state, constant);
}

function idealNumber(state: State, { text, complex, float, int, uint }: NumberNode): MaybeValue {
  if (complex !== undefined) return new Value(complexType, complex);
  const hexadecimal = /^0[xX]./.test(text) && !/[pP]/.test(text);
  if (float !== undefined && !hexadecimal && !text.startsWith("'") && /[.eEpP]/.test(text)) {
    return new Value(float64Type, float);
  }
  if (int !== undefined) return new Value(intType, int);
  return uint === undefined ? undefined : state.fail(`${text} overflows int`);
}

function evaluateChain(state: State, dot: MaybeValue, chain: ChainNode, invocation: Invocation): MaybeValue {
  if (chain.operand.type === "nil") state.fail(`indirection through explicit nil in ${printNode(chain)}`);
  state.at(chain.operand);
  const receiver = evaluateOperand(state, dot, chain.operand);
  return evaluateFields(state, dot, { receiver, names: chain.names, node: chain }, invocation);
}

interface Fields {
  readonly receiver: MaybeValue;
  readonly names: readonly string[];
  readonly node: Word;
}

/** `.A.B.C`: only the last may be a method with arguments. */
function evaluateFields(state: State, dot: MaybeValue, fields: Fields, invocation: Invocation): MaybeValue {
  const { names, node } = fields;
  let { receiver } = fields;
  for (const [index, name] of names.entries()) {
    const last = index === names.length - 1;
    receiver = evaluateField(state, dot, { receiver, name, node }, last ? invocation : BARE);
  }
  return receiver;
}

interface FieldAccess {
  readonly receiver: MaybeValue;
  readonly name: string;
  readonly node: Word;
}

function evaluateField(state: State, dot: MaybeValue, access: FieldAccess, invocation: Invocation): MaybeValue {
  const { receiver, name, node } = access;
  if (receiver === undefined) {
    if (state.run.missingKey === "error") state.fail(`nil data; no entry for key ${quote(name)}`);
    return undefined;
  }
  const { value: target, nil } = indirect(receiver);
  if (target === undefined || (nil && target.type.kind === "interface")) {
    return state.fail(`nil pointer evaluating ${receiver.type.name}.${name}`);
  }
  const method = methodOf(receiver, target, name);
  if (method !== undefined) {
    const { operands, final } = invocation;
    return evaluateCall(state, dot, { name, function: method, operands, final, node, receiver: { raw: target.raw } });
  }
  const hasArguments = invocation.operands.length > 0 || invocation.final !== undefined;
  return plainField(state, { ...access, receiver }, target, hasArguments);
}

function methodOf(receiver: Value, target: Value, name: string): GoFunc | undefined {
  for (const { methods } of [receiver.type, target.type]) {
    if (methods !== undefined && Object.hasOwn(methods, name)) return methods[name];
  }
  return undefined;
}

function plainField(
  state: State,
  { receiver, name }: FieldAccess & { readonly receiver: Value },
  target: Value,
  hasArguments: boolean,
): MaybeValue {
  if (target.type.kind === "struct") {
    const field = fieldOf(target, name);
    if (field !== undefined) {
      if (hasArguments) state.fail(`${name} has arguments but cannot be invoked as function`);
      return field;
    }
  }
  if (target.type.kind === "map" && (target.type.key.name === "string" || target.type.key.kind === "interface")) {
    if (hasArguments) state.fail(`${name} is not a method but has arguments`);
    return mapField(state, target, name);
  }
  if (target.type.kind === "pointer" && hasField(target.type.elem, name)) {
    state.fail(`nil pointer evaluating ${receiver.type.name}.${name}`);
  }
  return state.fail(`can't evaluate field ${name} in type ${receiver.type.name}`);
}

/** A nil pointer is named as such, unless what it points to has no such field anyway. */
function hasField(type: Value["type"], name: string): boolean {
  return type.kind !== "struct" || type.fields.some((field) => field.name === name);
}

function mapField(state: State, map: Value, name: string): MaybeValue {
  const entry = mapEntry(map, new Value(stringType, name));
  if (entry !== undefined) return entry;
  switch (state.run.missingKey) {
    case "error":
      return state.fail(`map has no entry for key ${quote(name)}`);
    case "zero":
      return map.type.kind === "map" ? zeroOf(map.type.elem) : undefined;
    case "default":
      return undefined;
  }
}
