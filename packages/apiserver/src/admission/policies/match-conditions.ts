import { BudgetExceeded, CelError, type Json, textAt } from "@boxship/api";
import type { RequestScope } from "./request-scope.ts";

/** Whether conditions hold; `failed` says why one could not be evaluated. */
export type Conditions = { readonly hold: boolean } | { readonly hold: false; readonly failed: string };

/** All must hold. One that does not decides, whatever errors others have. */
export async function conditionsHold(conditions: readonly Json[], scope: RequestScope): Promise<Conditions> {
  let failed: string | undefined;
  for (const condition of conditions) {
    const expression = textAt(condition, "expression");
    try {
      if ((await scope.evaluate(expression)) !== true) return { hold: false };
    } catch (error) {
      if (!(error instanceof CelError) && !(error instanceof BudgetExceeded)) throw error;
      failed ??= `matchConditions "${textAt(condition, "name")}": expression '${expression}' resulted in error: ${error.message}`;
    }
  }
  return failed === undefined ? { hold: true } : { hold: false, failed };
}
