import {
  BudgetExceeded,
  CelError,
  type CelType,
  celTypeOf,
  compile,
  definition,
  fromJson,
  type Json,
  type JsonObject,
  toJson,
  typesOf,
} from "@boxship/api";
import { inTurns } from "@boxship/base";
import type { User } from "../contract.ts";
import { userInfo } from "../special/access-reviews.ts";
import { unauthorized } from "../tokens/token-authenticator.ts";

/** An expression of an authentication configuration, compiled. */
export interface Expression {
  readonly text: string;
  /** @throws Unauthorized for one that cannot be evaluated */
  evaluate(about: JsonObject): Promise<Json>;
}

/** What must hold. */
export interface ExpressionRule {
  readonly expression: Expression;
  readonly message: string;
}

const CLAIMS = typesOf({ claims: "map<string, dyn>" });
const BOOLEAN: readonly CelType[] = [{ kind: "simple", name: "bool" }];

/** An expression of what an issuer claims. @throws CelError */
export function claimsExpression(text: string, what: "condition" | "value"): Expression {
  return expression(text, "claims", CLAIMS, what === "condition" ? BOOLEAN : undefined);
}

/** A condition about who somebody would be. @throws CelError */
export function userExpression(text: string): Expression {
  return expression(text, "user", new Map([["user", celTypeOf(definition("authentication.v1.UserInfo"))]]), BOOLEAN);
}

function expression(
  text: string,
  name: string,
  variables: ReadonlyMap<string, CelType>,
  results: readonly CelType[] | undefined,
): Expression {
  const program = compile(text, { variables, ...(results === undefined ? {} : { results }) });
  return {
    text,
    async evaluate(about) {
      try {
        const value = fromJson(about);
        return toJson(await inTurns(program.steps((asked) => (asked === name ? value : undefined))));
      } catch (error) {
        if (!(error instanceof CelError) && !(error instanceof BudgetExceeded)) throw error;
        throw unauthorized(`oidc: expression '${text}' resulted in error: ${error.message}`);
      }
    },
  };
}

/** @throws Unauthorized where one of the rules does not hold */
export async function checkRules(rules: readonly ExpressionRule[], about: JsonObject): Promise<void> {
  for (const { expression: rule, message } of rules) {
    if ((await rule.evaluate(about)) !== true) {
      throw unauthorized(`oidc: validation expression '${rule.text}' failed${message === "" ? "" : `: ${message}`}`);
    }
  }
}

/** A user as expressions see it: all fields are there. */
export function userAsSeen(user: User): JsonObject {
  return { uid: "", extra: {}, ...userInfo(user) };
}

/** One text or several; nothing for what is empty. @throws Unauthorized for anything else */
export function textsOf(value: Json, what: string): readonly string[] {
  const list = [value ?? []].flat().filter((one) => one !== "");
  if (!list.every((one) => typeof one === "string"))
    throw unauthorized(`oidc: ${what} is no text and no list of texts`);
  return list;
}
