import {
  badRequest,
  failure,
  type JsonObject,
  type Kind,
  type KubeObject,
  listAt,
  matchesLabels,
  notFound,
  parseLabelSelector,
  textAt,
  timestamp,
  valueAt,
} from "@boxship/api";
import { SYSTEM_WRITE, systemRequest } from "../bootstrap/system-request.ts";
import type { ObjectKind } from "../contract.ts";
import { jsonReply, type Reply } from "../http/reply.ts";
import type { ResourceRequest, ServerContext } from "../server-context.ts";
import { admitOrder } from "../verbs/admit.ts";
import { commitDelete } from "../verbs/delete-object.ts";
import { modifyObject } from "../verbs/modify-object.ts";
import { readBodyOf } from "../verbs/read-object-body.ts";
import { type DeleteOptions, deleteOptions } from "../verbs/write-options.ts";
import { selectorText } from "./selector-text.ts";

const EVICTION: ObjectKind = { group: "policy", version: "v1", kind: "Eviction", definition: "policy.v1.Eviction" };

/** `POST` of an eviction: deletes a pod unless a disruption budget forbids it. */
export async function createEviction(context: ServerContext, request: ResourceRequest): Promise<Reply> {
  const { kind, info, query } = request;
  const body = await readBodyOf(request, "policy.v1.Eviction");
  if (textAt(body, "metadata", "name") !== info.name)
    throw badRequest("name in URL does not match name in Eviction object");
  const pod = (await context.objects.get(kind, info.namespace, info.name))?.parse();
  if (pod === undefined) throw notFound(kind, info.name);
  const metadata = { name: info.name, namespace: info.namespace };
  const eviction: KubeObject = { ...(body as JsonObject), apiVersion: "policy/v1", kind: "Eviction", metadata };
  const { dryRun } = deleteOptions(query, valueAt(body, "deleteOptions") ?? {});
  await admitOrder(context, request, { name: info.name, object: eviction, objectKind: EVICTION, dryRun });
  const options = deleteOptions(query, valueAt(eviction, "deleteOptions") ?? {});
  await takeFromBudget(context, pod, options);
  await commitDelete(context, request, info.name, options, true);
  return jsonReply({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 }, 201);
}

/** Pods that have not begun, have ended or are on their way out are no loss to anybody. */
function isNoLoss(pod: KubeObject): boolean {
  return (
    ["Succeeded", "Failed", "Pending"].includes(textAt(pod, "status", "phase")) ||
    pod.metadata.deletionTimestamp !== undefined
  );
}

/**
 * Writes into the pod's budget that it is let go, before it is: of two who evict at once, one is too late.
 *
 * @throws TooManyRequests where the budget is used up
 */
async function takeFromBudget(context: ServerContext, pod: KubeObject, options: DeleteOptions): Promise<void> {
  const kind = context.kinds.find("policy", "v1", "poddisruptionbudgets");
  const { namespace = "", name: podName = "" } = pod.metadata;
  if (kind === undefined || isNoLoss(pod)) return;
  const budgets = await budgetsOf(context, kind, pod);
  const [budget] = budgets;
  if (budget === undefined) return;
  if (budgets.length > 1) {
    const words = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
    throw failure("InternalError", words);
  }
  if (!isReady(pod) && mayGoUnhealthy(budget)) return;
  if (options.dryRun) {
    requireRoom(budget);
    return;
  }
  const request = systemRequest(kind, namespace, budget.metadata.name ?? "", "status");
  await modifyObject(context, request, SYSTEM_WRITE, {
    change: (fresh) => {
      requireRoom(fresh);
      delete fresh.metadata.resourceVersion;
      const status = (fresh["status"] ?? {}) as JsonObject;
      const disrupted = (status["disruptedPods"] ?? {}) as JsonObject;
      const disruptedPods = { ...disrupted, [podName]: timestamp(context.clock.now()) };
      const disruptionsAllowed = Number(status["disruptionsAllowed"]) - 1;
      return { ...fresh, status: { ...status, disruptionsAllowed, disruptedPods } };
    },
    track: () => {},
  });
}

async function budgetsOf({ objects }: ServerContext, kind: Kind, pod: KubeObject): Promise<readonly KubeObject[]> {
  const { namespace = "", labels } = pod.metadata;
  const cache = await objects.freshCache(kind);
  const all = [...cache.between("", "")].map((cached) => cached.parse());
  return all.filter((budget) => {
    const selector = valueAt(budget, "spec", "selector");
    if (budget.metadata.namespace !== namespace || selector === undefined) return false;
    return matchesLabels(parseLabelSelector(selectorText(selector)), labels);
  });
}

const isReady = (pod: KubeObject): boolean =>
  listAt(pod, "status", "conditions").some(
    (one) => textAt(one, "type") === "Ready" && textAt(one, "status") === "True",
  );

const numberAt = (budget: KubeObject, field: string): number => Number(valueAt(budget, "status", field) ?? 0);

/** Of a pod that does not work the budget loses nothing, if it has enough others or does not mind. */
function mayGoUnhealthy(budget: KubeObject): boolean {
  if (textAt(budget, "spec", "unhealthyPodEvictionPolicy") === "AlwaysAllow") return true;
  const [current, desired] = [numberAt(budget, "currentHealthy"), numberAt(budget, "desiredHealthy")];
  return current >= desired && desired > 0;
}

function requireRoom(budget: KubeObject): void {
  const { name, generation = 0 } = budget.metadata;
  const refuse = (message: string, details: object = {}): never => {
    throw failure("TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.", {
      causes: [{ reason: "DisruptionBudget", message }],
      ...details,
    });
  };
  if (numberAt(budget, "observedGeneration") < generation) {
    refuse(`The disruption budget ${name} is still being processed by the server.`, { retryAfterSeconds: 10 });
  }
  if (numberAt(budget, "disruptionsAllowed") > 0) return;
  const [desired, current] = [numberAt(budget, "desiredHealthy"), numberAt(budget, "currentHealthy")];
  refuse(`The disruption budget ${name} needs ${desired} healthy pods and has ${current} currently`);
}
