import type { Turns } from "@boxship/base";
import { type CelType, parseType, splitTop } from "./types.ts";
import type { Value } from "./values.ts";

/** One way to call a function. */
export interface Overload {
  readonly name: string;
  /** The receiver is the first. */
  readonly params: readonly CelType[];
  readonly isMember: boolean;
  readonly result: CelType;
  readonly run: (...args: never[]) => Value | Turns<Value>;
  readonly gives: "value" | "turns";
}

/** Functions by signature: `string.startsWith(string): bool`, `size(list<A>): int`. */
export type Library = Readonly<Record<string, (...args: never[]) => Value | Turns<Value>>>;

const GeneratorFunction = function* () {}.constructor;

export class Functions {
  readonly #byName = new Map<string, Overload[]>();

  constructor(...libraries: readonly Library[]) {
    for (const library of libraries) {
      for (const [signature, run] of Object.entries(library)) this.#add(signature, run);
    }
  }

  #add(signature: string, run: Overload["run"]): void {
    const open = signature.indexOf("(");
    const close = signature.lastIndexOf("): ");
    const head = signature.slice(0, open);
    const dot = head.startsWith("@") || !/[>a-zA-Z]\.[a-zA-Z]+$/.test(head) ? -1 : head.lastIndexOf(".");
    // `math.greatest(…)` and the like are functions of a namespace, not members.
    const isMember = dot > 0 && !NAMESPACES.has(head.slice(0, dot));
    const name = isMember ? head.slice(dot + 1) : head;
    const receiver = isMember ? [parseType(head.slice(0, dot))] : [];
    const params = [...receiver, ...splitTop(signature.slice(open + 1, close)).map(parseType)];
    const overload: Overload = {
      name,
      params,
      isMember,
      result: parseType(signature.slice(close + 3)),
      run,
      gives: run instanceof GeneratorFunction ? "turns" : "value",
    };
    const list = this.#byName.get(name);
    if (list === undefined) this.#byName.set(name, [overload]);
    else list.push(overload);
  }

  find(name: string, isMember: boolean, arity: number): readonly Overload[] {
    const all = this.#byName.get(name) ?? [];
    return all.filter((one) => one.isMember === isMember && one.params.length === arity);
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }
}

/** Names whose members are functions. */
export const NAMESPACES: ReadonlySet<string> = new Set([
  "cel",
  "format",
  "ip",
  "jsonpatch",
  "math",
  "optional",
  "sets",
  "strings",
]);
