import { Internal } from "@boxship/base";
import type { Types } from "../../cel/check.ts";
import type { Library } from "../../cel/functions.ts";
import { AUTHORIZER, AUTHORIZER_SIGNATURES, RESOURCE_CHECK } from "../../cel/library/authorizer.ts";
import { compile } from "../../cel/program.ts";
import { CelError } from "../../cel/syntax.ts";
import { type CelType, DYN, listOf, mapOf, parseType, STRING, show, simple } from "../../cel/types.ts";
import { compilationText } from "../../custom/validate-rule-texts.ts";
import type { Findings } from "../../validation/findings.ts";

/** Nothing is evaluated where expressions are only looked at. */
const SIGNATURES: Library = Object.fromEntries(
  Object.values(AUTHORIZER_SIGNATURES).map((signature) => [
    signature,
    (): never => {
      throw new Internal(`${signature} is evaluated where expressions are checked`);
    },
  ]),
);

const MUTATIONS = ["JSONPatch", "Object"];

const object = (name: string, fields: Readonly<Record<string, CelType>>): CelType => ({
  kind: "object",
  name,
  fields: new Map(Object.entries(fields)),
});

const BOOL = simple("bool");
const KIND = object("kubernetes.GroupVersionKind", { group: STRING, version: STRING, kind: STRING });
const RESOURCE = object("kubernetes.GroupVersionResource", { group: STRING, version: STRING, resource: STRING });
const REQUEST = object("kubernetes.AdmissionRequest", {
  dryRun: BOOL,
  kind: KIND,
  name: STRING,
  namespace: STRING,
  operation: STRING,
  options: DYN,
  requestKind: KIND,
  requestResource: RESOURCE,
  requestSubResource: STRING,
  resource: RESOURCE,
  subResource: STRING,
  userInfo: object("kubernetes.UserInfo", {
    extra: mapOf(STRING, listOf(STRING)),
    groups: listOf(STRING),
    uid: STRING,
    username: STRING,
  }),
});

/** What an expression may give. */
export const GIVES = {
  condition: ["bool"],
  message: ["string"],
  annotation: ["string", "null_type"],
  jsonPatch: ["list<JSONPatch>"],
  applyConfiguration: ["Object"],
} as const;

export interface Environment {
  readonly params: boolean;
  /** @default true */
  readonly authorizer?: boolean;
  /** The policy's own names; absent where it has none. */
  readonly variables?: ReadonlyMap<string, CelType> | undefined;
  /** Objects and patches can be made. @default false */
  readonly mutates?: boolean;
}

function namesOf({ params, authorizer = true, variables }: Environment): Types {
  const names = new Map<string, CelType>([
    ["object", DYN],
    ["oldObject", DYN],
    ["namespaceObject", DYN],
    ["request", REQUEST],
  ]);
  if (params) names.set("params", DYN);
  if (authorizer) {
    names.set("authorizer", simple(AUTHORIZER));
    names.set("authorizer.requestResource", simple(RESOURCE_CHECK));
  }
  if (variables !== undefined)
    names.set("variables", { kind: "object", name: "kubernetes.variables", fields: variables });
  return names;
}

/**
 * An expression of admission.
 *
 * @param gives absent: anything
 * @returns its type; undefined where it is none, which has been said
 */
export function checkExpression(
  found: Findings,
  at: string,
  text: string,
  environment: Environment,
  gives?: readonly string[],
  shown = text,
): CelType | undefined {
  const messages = environment.mutates === true ? MUTATIONS : [];
  try {
    const { type } = compile(text, { variables: namesOf(environment), library: SIGNATURES, messages });
    // What has no type before it is evaluated may be of the right one.
    if (gives === undefined || type.kind === "dyn") return type;
    const wanted = gives.map((one) => show(parseType(one)));
    if (wanted.includes(show(type))) return type;
    const what = wanted.length === 1 ? wanted[0] : `one of [${wanted.join(" ")}]`;
    found.invalid(at, shown, `must evaluate to ${what} but got ${show(type)}`);
  } catch (error) {
    if (!(error instanceof CelError)) throw error;
    found.invalid(at, shown, compilationText(text, error));
  }
  return undefined;
}

const RESERVED = new Set(
  "true false null in as break const continue else for function if import let loop package namespace return var void while".split(
    " ",
  ),
);

export const isIdentifier = (name: string): boolean => /^[_a-zA-Z][_a-zA-Z0-9]*$/.test(name) && !RESERVED.has(name);
