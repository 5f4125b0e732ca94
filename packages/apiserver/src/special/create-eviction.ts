import { failure, type KubeObject, matchesLabels, notFound, parseLabelSelector, textAt, valueAt } from "@boxship/api";
import { jsonReply, type Reply } from "../http/reply.ts";
import type { ResourceRequest, ServerContext } from "../server-context.ts";
import { commitDelete } from "../verbs/delete-object.ts";
import { readBodyOf } from "../verbs/read-object-body.ts";
import { deleteOptions } from "../verbs/write-options.ts";
import { selectorText } from "./selector-text.ts";

/** `POST` of an eviction: deletes a pod unless a disruption budget forbids it. */
export async function createEviction(context: ServerContext, request: ResourceRequest): Promise<Reply> {
  const { kind, info, query } = request;
  const body = await readBodyOf(request, "policy.v1.Eviction");
  const pod = (await context.objects.get(kind, info.namespace, info.name))?.parse();
  if (pod === undefined) throw notFound(kind, info.name);
  await checkBudgets(context, pod);
  await commitDelete(context, request, info.name, deleteOptions(query, valueAt(body, "deleteOptions") ?? {}));
  return jsonReply({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 }, 201);
}

async function checkBudgets({ kinds, objects }: ServerContext, pod: KubeObject): Promise<void> {
  const budgets = kinds.find("policy", "v1", "poddisruptionbudgets");
  const { namespace = "", labels } = pod.metadata;
  if (budgets === undefined || ["Succeeded", "Failed"].includes(textAt(pod, "status", "phase"))) return;
  const cache = await objects.freshCache(budgets);
  for (const cached of cache.between("", "")) {
    const budget = cached.parse();
    if (budget.metadata.namespace !== namespace) continue;
    const selector = valueAt(budget, "spec", "selector");
    if (selector === undefined || !matchesLabels(parseLabelSelector(selectorText(selector)), labels)) continue;
    if (Number(valueAt(budget, "status", "disruptionsAllowed") ?? 0) > 0) continue;
    throw failure("TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.", {
      causes: [
        {
          reason: "DisruptionBudget",
          message: `The disruption budget ${budget.metadata.name} needs ${Number(valueAt(budget, "status", "desiredHealthy") ?? 0)} healthy pods and has ${Number(valueAt(budget, "status", "currentHealthy") ?? 0)} currently`,
        },
      ],
    });
  }
}
