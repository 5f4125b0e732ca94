import {
  BudgetExceeded,
  CelError,
  type CelType,
  celTypeOf,
  compile,
  definition,
  fromJson,
  type JsonObject,
  typesOf,
} from "@boxship/api";
import { inTurns } from "@boxship/base";

/** A condition about what is asked, compiled. */
export interface MatchCondition {
  readonly text: string;
  /** @throws CelError, BudgetExceeded */
  holds(request: JsonObject): boolean | Promise<boolean>;
}

const VARIABLES = new Map([["request", plain(celTypeOf(definition("authorization.v1.SubjectAccessReviewSpec")))]]);
const RESULTS = [...typesOf({ result: "bool" }).values()];

/** The namespace goes by its name here, though CEL reserves the word. */
function plain(type: CelType): CelType {
  if (type.kind !== "object") return type;
  const fields = [...type.fields].map(
    ([name, field]) => [name === "__namespace__" ? "namespace" : name, plain(field)] as const,
  );
  return { ...type, fields: new Map(fields) };
}

/** @throws CelError */
export function compileMatchCondition(text: string): MatchCondition {
  const program = compile(text, { variables: VARIABLES, results: RESULTS });
  return {
    text,
    holds(request) {
      const value = fromJson(request);
      const held = inTurns(program.steps((asked) => (asked === "request" ? value : undefined)));
      return held instanceof Promise ? held.then((one) => one === true) : held === true;
    },
  };
}

/** Whether all hold: one that does not decides, whatever others do. @throws CelError, BudgetExceeded where one cannot be evaluated */
export async function conditionsMatch(conditions: readonly MatchCondition[], request: JsonObject): Promise<boolean> {
  let failed: Error | undefined;
  for (const condition of conditions) {
    try {
      if (!(await condition.holds(request))) return false;
    } catch (error) {
      if (!(error instanceof CelError) && !(error instanceof BudgetExceeded)) throw error;
      failed ??= error;
    }
  }
  if (failed !== undefined) throw failed;
  return true;
}
