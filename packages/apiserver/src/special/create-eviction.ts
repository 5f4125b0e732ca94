import {
  badRequest,
  failure,
  isObject,
  type Json,
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
import { Conflict } from "@boxship/base";
import { SYSTEM_WRITE, systemRequest } from "../bootstrap/system-request.ts";
import type { ObjectKind } from "../contract.ts";
import { jsonReply, type Reply } from "../http/reply.ts";
import type { ResourceRequest, ServerContext } from "../server-context.ts";
import { admitOrder } from "../verbs/admit.ts";
import { decodeOrder } from "../verbs/decode-order.ts";
import { checkPreconditions, commitDelete } from "../verbs/delete-object.ts";
import { modifyObject } from "../verbs/modify-object.ts";
import { readBodyOf } from "../verbs/read-object-body.ts";
import { type DeleteOptions, deleteOptions, writeOptions } from "../verbs/write-options.ts";
import { selectorText } from "./selector-text.ts";

const EVICTION: ObjectKind = { group: "policy", version: "v1", kind: "Eviction", definition: "policy.v1.Eviction" };

/** `POST` of an eviction: deletes a pod unless a disruption budget forbids it. */
export async function createEviction(context: ServerContext, request: ResourceRequest): Promise<Reply> {
  const { kind, info, query } = request;
  const sent = await readBodyOf(request, EVICTION.definition);
  // Old clients name the version that there was before.
  const isOld = isObject(sent) && sent["apiVersion"] === "policy/v1beta1";
  const { fieldValidation } = writeOptions(request, "CreateOptions");
  const body = decodeOrder(request, EVICTION, isOld ? { ...sent, apiVersion: "policy/v1" } : sent, fieldValidation);
  if (textAt(body, "metadata", "name") !== info.name)
    throw badRequest("name in URL does not match name in Eviction object");
  if ((await context.objects.get(kind, info.namespace, info.name)) === undefined) throw notFound(kind, info.name);
  const metadata = { name: info.name, namespace: info.namespace };
  const eviction: KubeObject = { ...body, metadata };
  const { dryRun } = deleteOptions(query, valueAt(body, "deleteOptions") ?? {});
  await admitOrder(context, request, { name: info.name, object: eviction, objectKind: EVICTION, dryRun });
  const options = deleteOptions(query, valueAt(eviction, "deleteOptions") ?? {});
  for (let tries = 1; !(await letGo(context, request, options, tries < ATTEMPTS)); tries++);
  return jsonReply({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 }, 201);
}

/** How often a pod is looked at anew that changes while it is let go. */
const ATTEMPTS = 20;

/** @returns false where the pod has changed meanwhile, and may be looked at anew */
async function letGo(
  context: ServerContext,
  request: ResourceRequest,
  options: DeleteOptions,
  mayRetry: boolean,
): Promise<boolean> {
  const { kind, info } = request;
  const pod = (await context.objects.get(kind, info.namespace, info.name))?.parse();
  if (pod === undefined) throw notFound(kind, info.name);
  const isVersionGiven = options.preconditions.resourceVersion !== undefined;
  const { resourceVersion = "" } = pod.metadata;
  const asSeen = isVersionGiven
    ? options
    : { ...options, preconditions: { ...options.preconditions, resourceVersion } };
  if (isNoLoss(pod)) {
    // One that has not begun may begin, and counts then.
    const mayBegin = textAt(pod, "status", "phase") === "Pending" && pod.metadata.deletionTimestamp === undefined;
    try {
      await markAndDelete(context, request, pod, mayBegin ? asSeen : options);
    } catch (error) {
      if (error instanceof Conflict && !isVersionGiven && mayRetry) return false;
      throw error;
    }
    return true;
  }
  const { uncounted } = await takeFromBudget(context, pod, options);
  try {
    await markAndDelete(context, request, pod, uncounted === undefined ? options : asSeen);
  } catch (error) {
    // It may count now.
    if (error instanceof Conflict && uncounted !== undefined && !isVersionGiven) refuseForNow(uncounted);
    throw error;
  }
  return true;
}

const DISRUPTED = { type: "DisruptionTarget", status: "True", reason: "EvictionByEvictionAPI" } as const;

/** Writes into the pod why it goes, for who counts its failures, and deletes it. */
async function markAndDelete(
  context: ServerContext,
  request: ResourceRequest,
  pod: KubeObject,
  options: DeleteOptions,
): Promise<void> {
  const { kind, info } = request;
  const isMarked = listAt(pod, "status", "conditions").some((one) =>
    Object.entries(DISRUPTED).every(([field, value]) => textAt(one, field) === value),
  );
  if (options.dryRun || isMarked) return void (await commitDelete(context, request, info.name, options, true));
  const own = systemRequest(kind, info.namespace, info.name, "status");
  const { revision } = await modifyObject(context, own, SYSTEM_WRITE, {
    change(fresh) {
      checkPreconditions(request, fresh, info.name, options);
      const conditions = listAt(fresh, "status", "conditions");
      const present = conditions.find((one) => textAt(one, "type") === DISRUPTED.type);
      const since = textAt(present, "status") === "True" ? textAt(present, "lastTransitionTime") : "";
      const condition = {
        ...DISRUPTED,
        message: "Eviction API: evicting",
        lastProbeTime: null,
        lastTransitionTime: since === "" ? timestamp(context.clock.now()) : since,
      };
      const changed = conditions.map((one) => (one === present ? condition : one));
      const status = (fresh["status"] ?? {}) as JsonObject;
      fresh["status"] = { ...status, conditions: present === undefined ? [...conditions, condition] : changed };
      return fresh;
    },
    track: () => {},
    isOwn: true,
  });
  const { resourceVersion, ...others } = options.preconditions;
  // The version that was asked for is the one before this.
  const preconditions = resourceVersion === undefined ? others : { ...others, resourceVersion: String(revision) };
  await commitDelete(context, request, info.name, { ...options, preconditions }, true);
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
 * @returns the name of the budget that does not count the pod, as long as it is not ready
 * @throws TooManyRequests where the budget is used up
 */
async function takeFromBudget(
  context: ServerContext,
  pod: KubeObject,
  options: DeleteOptions,
): Promise<{ readonly uncounted?: string }> {
  const kind = context.kinds.find("policy", "v1", "poddisruptionbudgets");
  const { namespace = "", name: podName = "" } = pod.metadata;
  if (kind === undefined) return {};
  const budgets = await budgetsOf(context, kind, pod);
  const [budget] = budgets;
  if (budget === undefined) return {};
  if (budgets.length > 1) {
    const words = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
    throw failure("InternalError", words);
  }
  if (!isReady(pod) && mayGoUnhealthy(budget)) return { uncounted: budget.metadata.name ?? "" };
  if (options.dryRun) {
    requireRoom(budget);
    return {};
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
      const time = timestamp(context.clock.now());
      const conditions = disruptionsAllowed === 0 ? { conditions: withoutRoom(fresh, time) } : {};
      return { ...fresh, status: { ...status, disruptionsAllowed, disruptedPods, ...conditions } };
    },
    track: () => {},
  });
  return {};
}

const ALLOWED = "DisruptionAllowed";

const conditionOf = (budget: KubeObject): Json | undefined =>
  listAt(budget, "status", "conditions").find((one) => textAt(one, "type") === ALLOWED);

/** A budget's conditions when nothing more may go. */
function withoutRoom(budget: KubeObject, time: string): Json[] {
  const present = conditionOf(budget);
  const since = textAt(present, "status") === "False" ? textAt(present, "lastTransitionTime") : "";
  const condition = {
    type: ALLOWED,
    status: "False",
    reason: "InsufficientPods",
    message: "",
    observedGeneration: numberAt(budget, "observedGeneration"),
    lastTransitionTime: since === "" ? time : since,
  };
  return [...listAt(budget, "status", "conditions").filter((one) => one !== present), condition];
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

/** Pods that were let go and are not known to be gone. */
const MOST_DISRUPTED = 2000;

function refuse(message: string, details: object = {}): never {
  throw failure("TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.", {
    causes: [{ reason: "DisruptionBudget", message }],
    ...details,
  });
}

function refuseForNow(name: string): never {
  refuse(`The disruption budget ${name} is still being processed by the server.`, { retryAfterSeconds: 10 });
}

function requireRoom(budget: KubeObject): void {
  const { name = "", generation = 0 } = budget.metadata;
  if (numberAt(budget, "observedGeneration") < generation) refuseForNow(name);
  const forbid = (why: string): never => {
    const details = { name, group: "policy", kind: "poddisruptionbudget" };
    throw failure("Forbidden", `poddisruptionbudget.policy "${name}" is forbidden: ${why}`, details);
  };
  const allowed = numberAt(budget, "disruptionsAllowed");
  if (allowed < 0) forbid("pdb disruptions allowed is negative");
  if (Object.keys(valueAt(budget, "status", "disruptedPods") ?? {}).length > MOST_DISRUPTED)
    forbid("DisruptedPods map too big - too many evictions not confirmed by PDB controller");
  if (allowed > 0) return;
  const condition = conditionOf(budget);
  const [reason, why] = [textAt(condition, "reason"), textAt(condition, "message")];
  const [desired, current] = [numberAt(budget, "desiredHealthy"), numberAt(budget, "currentHealthy")];
  const isTold = textAt(condition, "status") === "False" && why !== "";
  // Numbers are not to be trusted of a budget that could not be counted.
  if (isTold && reason === "SyncFailed")
    refuse(`The disruption budget ${name} does not allow evicting pods currently because it failed sync: ${why}`);
  if (current <= desired)
    refuse(`The disruption budget ${name} needs ${desired} healthy pods and has ${current} currently`);
  refuse(`The disruption budget ${name} does not allow evicting pods currently${isTold ? ` (${reason}): ${why}` : ""}`);
}
