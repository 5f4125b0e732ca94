import type { Json } from "../object/json.ts";

export type Step =
  | { readonly kind: "root" | "current" | "wildcard" | "recursive" }
  | { readonly kind: "field"; readonly name: string }
  /** A step of 0 and no end: one element. */
  | { readonly kind: "slice"; readonly from: number | undefined; readonly to: number | undefined; readonly by: number }
  | { readonly kind: "union"; readonly paths: readonly (readonly Step[])[] }
  | { readonly kind: "filter"; readonly filter: Filter }
  | { readonly kind: "literal"; readonly value: Json };

export interface Filter {
  readonly left: readonly Step[];
  readonly operator: "==" | "!=" | "<" | "<=" | ">" | ">=" | "exists";
  readonly right: readonly Step[];
}

export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "path"; readonly steps: readonly Step[] }
  | { readonly kind: "range"; readonly steps: readonly Step[]; readonly body: readonly Node[] };
