import {
  BudgetExceeded,
  CelError,
  definition,
  failure,
  isObject,
  type Json,
  type KubeObject,
  listAt,
  mergeTyped,
  qualified,
  textAt,
  toJson,
} from "@boxship/api";
import { errorMessage } from "@boxship/base";
import type { AdmissionPlugin, AdmissionRequest } from "../../contract.ts";
import type { ServerContext } from "../../server-context.ts";
import { inVersion, isExempt } from "../matching/match-rules.ts";
import { putInPlace, replaceObject } from "../replace-object.ts";
import { conditionsHold } from "./match-conditions.ts";
import { type Bound, boundPolicies, variablesOf } from "./policy.ts";
import { RequestScope } from "./request-scope.ts";

/**
 * MutatingAdmissionPolicies: expressions that change what is written, one policy after another. Those that want to are
 * asked again after others have changed it.
 */
export function mutatingPolicies(context: () => ServerContext): AdmissionPlugin {
  const asked = new WeakSet<AdmissionRequest>();
  return {
    name: "MutatingAdmissionPolicy",
    async mutate(request) {
      if (isExempt(request) || request.object === null) return;
      const again = asked.has(request);
      asked.add(request);
      const bound = await boundPolicies(context(), request, "mutating");
      const reinvoked = bound.filter(({ policy }) => textAt(policy, "spec", "reinvocationPolicy") === "IfNeeded");
      // Made only where it is looked at: it takes its time of large objects.
      const before = again || reinvoked.length === 0 ? undefined : JSON.stringify(request.object);
      for (const one of again ? reinvoked : bound) await mutateBy(context(), request, one);
      if (before === undefined || JSON.stringify(request.object) === before) return;
      for (const one of reinvoked) await mutateBy(context(), request, one);
    },
  };
}

async function mutateBy(context: ServerContext, request: AdmissionRequest, bound: Bound): Promise<void> {
  const { policy, binding, kind, params, problem } = bound;
  const ignores = textAt(policy, "spec", "failurePolicy") === "Ignore";
  const names = `policy '${policy.metadata.name}' with binding '${binding.metadata.name}'`;
  const fail = (why: string): void => {
    if (ignores) return;
    const name = request.object?.metadata.name || request.name;
    const about = `${qualified(request.kind)}${name === "" ? "" : ` ${JSON.stringify(name)}`}`;
    throw failure("Invalid", `${about} is forbidden: ${names} denied request: ${why}`, {
      ...(name === "" ? {} : { name }),
      kind: request.kind.resource,
    });
  };
  if (problem !== undefined) return fail(`failed to configure binding: ${problem}`);
  for (const one of params) {
    const about = { params: one, variables: variablesOf(policy) };
    const conditions = await conditionsHold(
      listAt(policy, "spec", "matchConditions"),
      await RequestScope.of(context, request, kind, about),
    );
    if ("failed" in conditions) fail(conditions.failed);
    if (!conditions.hold) continue;
    for (const mutation of listAt(policy, "spec", "mutations")) {
      // Each sees what those before it have changed.
      const scope = await RequestScope.of(context, request, kind, about);
      try {
        await mutate(context, request, bound, mutation, scope);
      } catch (error) {
        const isOwn = error instanceof CelError || error instanceof BudgetExceeded || error instanceof TypeError;
        if (!isOwn && !ignores) throw error;
        fail(errorMessage(error));
      }
    }
  }
}

async function mutate(
  context: ServerContext,
  request: AdmissionRequest,
  { kind, policy }: Bound,
  mutation: Json,
  scope: RequestScope,
): Promise<void> {
  const { object } = request;
  if (object === null) return;
  if (textAt(mutation, "patchType") === "JSONPatch") {
    const patch = toJson(await scope.evaluate(textAt(mutation, "jsonPatch", "expression")));
    if (!Array.isArray(patch)) throw new CelError("the expression gives no list of JSONPatch", 0);
    await replaceObject(context, request, kind, patch, `policy '${policy.metadata.name}'`);
    return;
  }
  const applied = toJson(await scope.evaluate(textAt(mutation, "applyConfiguration", "expression")));
  if (!isObject(applied)) throw new CelError("the expression gives no Object", 0);
  for (const field of ["apiVersion", "kind"]) {
    if (applied[field] !== undefined) throw new CelError(`${field} may not be set by an apply configuration`, 0);
  }
  const seen = await inVersion(context, request, object, kind);
  const schema = request.objectKind === undefined ? kind.schema : definition(request.objectKind.definition);
  await putInPlace(context, request, mergeTyped(schema, seen, applied) as KubeObject);
}
