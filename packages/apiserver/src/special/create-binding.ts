import { badRequest, conflict, type JsonObject, type KubeObject, textAt, timestamp } from "@boxship/api";
import type { ObjectKind } from "../contract.ts";
import { jsonReply, type Reply } from "../http/reply.ts";
import type { ResourceRequest, ServerContext } from "../server-context.ts";
import { admitOrder } from "../verbs/admit.ts";
import { decodeObject } from "../verbs/decode-object.ts";
import { modifyObject } from "../verbs/modify-object.ts";
import { readObjectBody } from "../verbs/read-object-body.ts";
import { writeOptions } from "../verbs/write-options.ts";

const BINDING: ObjectKind = { group: "", version: "v1", kind: "Binding", definition: "core.v1.Binding" };

/** `POST` of a binding: puts a pod on a node. */
export async function createBinding(context: ServerContext, request: ResourceRequest): Promise<Reply> {
  const pods = context.kinds.find("", "v1", "pods");
  const kind = context.kinds.find("", "v1", "bindings");
  if (pods === undefined || kind === undefined) throw badRequest("pods cannot be bound here");
  const options = writeOptions(request, "CreateOptions");
  const { body } = await readObjectBody(request, kind);
  const binding = decodeObject(kind, body, { fieldValidation: options.fieldValidation, warn: request.warn });
  const name = request.info.name || binding.metadata.name || "";
  const node = textAt(binding, "target", "name");
  if (name === "" || node === "") throw badRequest("a binding names its pod, and its target a node");
  binding.metadata.name = name;
  binding.metadata.namespace = request.info.namespace;
  await admitOrder(context, request, { name, object: binding, objectKind: BINDING, dryRun: options.dryRun });
  const single = { ...request, kind: pods, info: { ...request.info, resource: "pods", name, subresource: "binding" } };
  await modifyObject(context, single, options, {
    change: (pod) =>
      bind(pod, node, binding, timestamp(context.clock.now()), () =>
        conflict(pods, name, `pod ${name} is already assigned to node "${textAt(pod, "spec", "nodeName")}"`),
      ),
    track: () => {},
    admitted: undefined,
  });
  return jsonReply({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 }, 201);
}

function bind(pod: KubeObject, node: string, binding: KubeObject, now: string, taken: () => Error): KubeObject {
  if (textAt(pod, "spec", "nodeName") !== "") throw taken();
  pod["spec"] = { ...(pod["spec"] as JsonObject), nodeName: node };
  const status = (pod["status"] ?? {}) as JsonObject;
  const others = Array.isArray(status["conditions"])
    ? status["conditions"].filter((one) => textAt(one, "type") !== "PodScheduled")
    : [];
  pod["status"] = {
    ...status,
    conditions: [...others, { type: "PodScheduled", status: "True", lastProbeTime: null, lastTransitionTime: now }],
  };
  const { annotations } = binding.metadata;
  if (annotations !== undefined) pod.metadata.annotations = { ...pod.metadata.annotations, ...annotations };
  return pod;
}
