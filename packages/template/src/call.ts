import { prepareArgument } from "./builtins.ts";
import { evaluateConstant, evaluateOperand } from "./eval.ts";
import type { Node, Operand } from "./node.ts";
import { printNode } from "./print-node.ts";
import { isStackOverflow, type State } from "./state.ts";
import { anyType, canBeNil, type GoFunc, type GoType, isSigned, isUnsigned, reflectType } from "./types.ts";
import {
  inPlace,
  isAssignable,
  isGoFunc,
  isNil,
  isTrue,
  type MaybeValue,
  plainOf,
  stripInterface,
  textOf,
  Value,
  valueOf,
  zeroOf,
} from "./value.ts";

/** The last argument of a command in a pipeline: the value before it, or none for the first command. */
export type Final = { readonly value: MaybeValue } | undefined;

export interface Call {
  readonly name: string;
  readonly function: GoFunc;
  /** Operands after the function. */
  readonly operands: readonly Operand[];
  readonly final: Final;
  /** What errors of the call itself point at. */
  readonly node: Node;
  /** A method's receiver. */
  readonly receiver?: { readonly raw: unknown };
  /** `and`, `or` and `call` are special only as builtins. */
  readonly builtin?: boolean;
}

/** A plain JavaScript function takes anything. */
export function asGoFunc(raw: unknown): GoFunc | undefined {
  if (isGoFunc(raw)) return raw;
  if (typeof raw !== "function") return undefined;
  return { params: [], variadic: anyType, call: raw as GoFunc["call"] };
}

/** Calls a function or method with operands evaluated against its parameters. */
export function evaluateCall(state: State, dot: MaybeValue, call: Call): MaybeValue {
  const { function: target, operands, final, name } = call;
  checkCount(state, call);
  if (call.builtin && (name === "and" || name === "or")) return shortCircuit(state, dot, call);
  const parameter = (index: number): GoType => target.params[index] ?? target.variadic ?? anyType;
  const values = operands.map((operand, index) => evaluateArgument(state, dot, parameter(index), operand));
  if (final !== undefined) values.push(fit(state, final.value, parameter(values.length)));
  try {
    if (call.builtin && name === "call") return callValue(calleeName(call), values);
    const given = values.map((value, index) => (parameter(index) === reflectType ? value : plainOf(value)));
    return invoke(target, call.receiver === undefined ? given : [call.receiver.raw, ...given]);
  } catch (error) {
    // Running out of stack is the executor's to report, wherever it happens.
    if (isStackOverflow(error)) throw error;
    state.node = call.node;
    return state.fail(`error calling ${name}: ${error instanceof Error ? error.message : String(error)}`, error);
  }
}

function invoke(target: GoFunc, values: readonly unknown[]): MaybeValue {
  return valueOf((target.call as (...values: readonly unknown[]) => unknown)(...values));
}

function checkCount(state: State, { function: target, operands, final, name }: Call): void {
  const given = operands.length + (final === undefined ? 0 : 1);
  const wanted = target.params.length;
  if (target.variadic !== undefined) {
    if (given < wanted) {
      state.fail(`wrong number of args for ${name}: want at least ${wanted} got ${operands.length}`);
    }
  } else if (given !== wanted) {
    state.fail(`wrong number of args for ${name}: want ${wanted} got ${given}`);
  }
}

function shortCircuit(state: State, dot: MaybeValue, { operands, final, name }: Call): MaybeValue {
  let value: MaybeValue;
  for (const operand of operands) {
    value = evaluateArgument(state, dot, reflectType, operand);
    if (isTrue(stripInterface(value)) === (name === "or")) return value;
  }
  return final === undefined ? value : final.value;
}

function calleeName({ operands, final }: Call): string {
  const [first] = operands;
  if (first !== undefined) return printNode(first);
  const value = final?.value;
  return value?.type.kind === "string" ? textOf(value) : `<${value?.type.name ?? "invalid"} Value>`;
}

/** The builtin `call`. */
function callValue(name: string, [callee, ...values]: readonly MaybeValue[]): MaybeValue {
  const target = stripInterface(callee);
  if (target === undefined) throw new Error("call of nil");
  const callable = target.type.kind === "func" ? asGoFunc(target.raw) : undefined;
  if (callable === undefined) throw new Error(`non-function ${name} of type ${target.type.name}`);
  const wanted = callable.params.length;
  if (callable.variadic === undefined ? values.length !== wanted : values.length < wanted) {
    const least = callable.variadic === undefined ? "" : "at least ";
    throw new Error(`wrong number of args for ${name}: got ${values.length} want ${least}${wanted}`);
  }
  const given = values.map((value, index) => {
    const type = callable.params[index] ?? callable.variadic ?? anyType;
    try {
      const prepared = prepareArgument(stripInterface(value), type);
      return type === reflectType ? prepared : plainOf(prepared);
    } catch (error) {
      throw new Error(`arg ${index}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  });
  return invoke(callable, given);
}

/** Checks that a computed value can be passed as the type; takes it out of interfaces and pointers if that helps. */
function fit(state: State, value: MaybeValue, type: GoType): MaybeValue {
  if (value === undefined) {
    if (!canBeNil(type)) state.fail(`invalid value; expected ${type.name}`);
    return type.kind === "interface" || type === reflectType ? undefined : zeroOf(type);
  }
  if (type === reflectType || isAssignable(value.type, type)) return value;
  let inner = value;
  if (value.type.kind === "interface" && !isNil(value)) {
    inner = stripInterface(value) ?? value;
    if (isAssignable(inner.type, type)) return inner;
  }
  if (inner.type.kind === "pointer" && isAssignable(inner.type.elem, type)) {
    if (isNil(inner)) state.fail(`dereference of nil pointer of type ${type.name}`);
    return inPlace(inner.type.elem, inner.raw);
  }
  return state.fail(`wrong type for value; expected ${type.name}; got ${inner.type.name}`);
}

/** An operand as the argument for a parameter: constants take the parameter's type. */
function evaluateArgument(state: State, dot: MaybeValue, type: GoType, operand: Operand): MaybeValue {
  state.at(operand);
  switch (operand.type) {
    case "nil":
      if (!canBeNil(type)) state.fail(`cannot assign nil to ${type.name}`);
      return type.kind === "interface" || type === reflectType ? undefined : zeroOf(type);
    case "bool":
    case "number":
    case "string":
      return constantArgument(state, type, operand);
    default:
      return fit(state, evaluateOperand(state, dot, operand), type);
  }
}

type Constant = Extract<Operand, { readonly type: "bool" | "number" | "string" }>;

function constantArgument(state: State, type: GoType, constant: Constant): MaybeValue {
  const { kind } = type;
  if (kind === "interface" || type === reflectType) return evaluateConstant(state, constant);
  const expected = (name: string) => state.fail(`expected ${name}; found ${printNode(constant)}`);
  if (kind === "bool") return constant.type === "bool" ? new Value(type, constant.value) : expected("bool");
  if (kind === "string") return constant.type === "string" ? new Value(type, constant.text) : expected("string");
  const number = constant.type === "number" ? constant : undefined;
  if (kind === "float32" || kind === "float64") {
    return number?.float === undefined ? expected("float") : new Value(type, number.float);
  }
  if (kind === "complex128") {
    return number?.complex === undefined ? expected("complex") : new Value(type, number.complex);
  }
  if (isSigned(kind)) return number?.int === undefined ? expected("integer") : new Value(type, number.int);
  if (isUnsigned(kind)) {
    return number?.uint === undefined ? expected("unsigned integer") : new Value(type, number.uint);
  }
  return state.fail(`can't handle ${printNode(constant)} for arg of type ${type.name}`);
}
