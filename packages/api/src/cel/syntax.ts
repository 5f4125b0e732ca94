/** An expression of CEL, as it was written; `at` is where it begins in the text. */
export type Expression =
  | { readonly node: "literal"; readonly value: Literal; readonly at: number }
  | { readonly node: "name"; readonly name: string; readonly at: number }
  | {
      readonly node: "select";
      readonly of: Expression;
      readonly field: string;
      /** `.?field`: an optional value. */
      readonly optional: boolean;
      readonly at: number;
    }
  | {
      readonly node: "index";
      readonly of: Expression;
      readonly key: Expression;
      readonly optional: boolean;
      readonly at: number;
    }
  | {
      /** Operators are calls, too: `_+_`, `!_`, `_?_:_`, … */
      readonly node: "call";
      readonly name: string;
      readonly receiver?: Expression;
      readonly args: readonly Expression[];
      readonly at: number;
    }
  | { readonly node: "list"; readonly items: readonly Entry[]; readonly at: number }
  | { readonly node: "map"; readonly entries: readonly MapEntry[]; readonly at: number }
  | {
      readonly node: "message";
      /** e.g. `Object.spec` */
      readonly type: string;
      readonly entries: readonly FieldEntry[];
      readonly at: number;
    };

export type Literal =
  | { readonly kind: "null" }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "int"; readonly value: bigint }
  | { readonly kind: "uint"; readonly value: bigint }
  | { readonly kind: "double"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "bytes"; readonly value: Uint8Array };

export interface Entry {
  readonly value: Expression;
  /** `?value`: it is there only where the optional value is. */
  readonly optional: boolean;
}

export interface MapEntry extends Entry {
  readonly key: Expression;
}

export interface FieldEntry extends Entry {
  readonly field: string;
}

/** Where and why a text is no expression, or one that cannot be. */
export class CelError extends Error {
  readonly at: number;

  constructor(message: string, at: number) {
    super(message);
    this.name = "CelError";
    this.at = at;
  }
}
