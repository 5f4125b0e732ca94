import {
  BudgetExceeded,
  CelError,
  failure,
  type Json,
  type KubeObject,
  listAt,
  qualified,
  type StatusReason,
  textAt,
} from "@boxship/api";
import type { AdmissionPlugin, AdmissionRequest } from "../../contract.ts";
import type { ServerContext } from "../../server-context.ts";
import { isExempt } from "../matching/match-rules.ts";
import { conditionsHold } from "./match-conditions.ts";
import { type Bound, boundPolicies, variablesOf } from "./policy.ts";
import { RequestScope, Seen } from "./request-scope.ts";

interface Refusal {
  readonly message: string;
  readonly reason: StatusReason;
  /** Of the validation that does not hold. */
  readonly index?: number;
}

const FAILURE = "validation.policy.admission.k8s.io/validation_failure";

const REASONS: readonly StatusReason[] = ["Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"];

/** ValidatingAdmissionPolicies: what expressions say of a write is refused, or warned of, as their bindings have it. */
export function validatingPolicies(context: () => ServerContext): AdmissionPlugin {
  return {
    name: "ValidatingAdmissionPolicy",
    async validate(request) {
      if (isExempt(request)) return;
      let denial: Error | undefined;
      const seen = new Seen(context(), request);
      for (const bound of await boundPolicies(context(), request, "validating")) {
        for (const refusal of await refusalsOf(context(), request, bound, seen)) {
          denial ??= act(request, bound, refusal);
        }
      }
      if (denial !== undefined) throw denial;
    },
  };
}

/** @returns the error, where the binding denies */
function act(request: AdmissionRequest, { policy, binding }: Bound, refusal: Refusal): Error | undefined {
  const { message, reason, index = 0 } = refusal;
  const actions = listAt(binding, "spec", "validationActions");
  if (actions.includes("Audit")) {
    const names = { policy: policy.metadata.name ?? "", binding: binding.metadata.name ?? "" };
    const failed = [{ message, ...names, expressionIndex: index, validationActions: [...actions] }];
    request.annotate(FAILURE, JSON.stringify(failed));
  }
  const names = `ValidatingAdmissionPolicy '${policy.metadata.name}' with binding '${binding.metadata.name}'`;
  if (actions.includes("Warn")) request.warn(`Validation failed for ${names}: ${message}`);
  if (!actions.includes("Deny")) return undefined;
  const { kind } = request;
  const name = request.object?.metadata.name || request.name;
  const about = `${qualified(kind)}${name === "" ? "" : ` ${JSON.stringify(name)}`}`;
  return failure(reason, `${about} is forbidden: ${names} denied request: ${message}`, {
    ...(name === "" ? {} : { name }),
    ...(kind.group === "" ? {} : { group: kind.group }),
    kind: kind.resource,
    causes: [{ message: `${names} denied request: ${message}` }],
  });
}

async function refusalsOf(
  context: ServerContext,
  request: AdmissionRequest,
  bound: Bound,
  seen: Seen,
): Promise<readonly Refusal[]> {
  const { policy, kind, params, problem } = bound;
  const ignores = textAt(policy, "spec", "failurePolicy") === "Ignore";
  if (problem !== undefined)
    return ignores ? [] : [{ message: `failed to configure binding: ${problem}`, reason: "Invalid" }];
  const refusals: Refusal[] = [];
  for (const one of params) {
    const scope = await RequestScope.of(context, request, kind, { params: one, variables: variablesOf(policy), seen });
    const conditions = await conditionsHold(listAt(policy, "spec", "matchConditions"), scope);
    if ("failed" in conditions && !ignores) refusals.push({ message: conditions.failed, reason: "Invalid" });
    if (!conditions.hold) continue;
    for (const [index, validation] of listAt(policy, "spec", "validations").entries()) {
      const refusal = await refusalOf(scope, validation, ignores);
      if (refusal !== undefined) refusals.push({ ...refusal, index });
    }
    const failed = await annotate(request, scope, policy);
    if (failed !== undefined && !ignores) refusals.push(failed);
  }
  return refusals;
}

/** Notes in the audit log what the policy's expressions say. @returns what is wrong with one of them */
async function annotate(
  request: AdmissionRequest,
  scope: RequestScope,
  policy: KubeObject,
): Promise<Refusal | undefined> {
  let failed: Refusal | undefined;
  for (const annotation of listAt(policy, "spec", "auditAnnotations")) {
    const expression = textAt(annotation, "valueExpression");
    try {
      const value = await scope.evaluate(expression);
      if (typeof value === "string" && value.trim() !== "")
        request.annotate(`${policy.metadata.name}/${textAt(annotation, "key")}`, value.trim());
      else if (typeof value !== "string" && value !== null)
        throw new CelError("valueExpression must evaluate to a string or null", 0);
    } catch (error) {
      if (!(error instanceof CelError) && !(error instanceof BudgetExceeded)) throw error;
      failed ??= { message: `expression '${expression}' resulted in error: ${error.message}`, reason: "Invalid" };
    }
  }
  return failed;
}

async function refusalOf(scope: RequestScope, validation: Json, ignores: boolean): Promise<Refusal | undefined> {
  const expression = textAt(validation, "expression");
  const reason = REASONS.find((known) => known === textAt(validation, "reason")) ?? "Invalid";
  try {
    if ((await scope.evaluate(expression)) === true) return undefined;
  } catch (error) {
    if (!(error instanceof CelError) && !(error instanceof BudgetExceeded)) throw error;
    return ignores ? undefined : { message: `expression '${expression}' resulted in error: ${error.message}`, reason };
  }
  return { message: await messageOf(scope, validation), reason };
}

async function messageOf(scope: RequestScope, validation: Json): Promise<string> {
  const otherwise =
    textAt(validation, "message").trim() || `failed expression: ${textAt(validation, "expression").trim()}`;
  const expression = textAt(validation, "messageExpression");
  if (expression === "") return otherwise;
  try {
    const text = await scope.evaluate(expression);
    return typeof text === "string" && text.trim() !== "" && !text.includes("\n") ? text.trim() : otherwise;
  } catch (error) {
    if (error instanceof CelError || error instanceof BudgetExceeded) return otherwise;
    throw error;
  }
}
