import {
  badRequest,
  conflict,
  invalidObject,
  type JsonObject,
  type KubeObject,
  listAt,
  notSupported,
  required,
  textAt,
  timestamp,
} from "@boxship/api";
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
  if (name === "") throw badRequest("a binding names its pod");
  if (request.info.name !== "" && (binding.metadata.name ?? "") !== request.info.name)
    throw badRequest("name in URL does not match name in Binding object");
  const node = nodeOf(binding, name);
  binding.metadata.name = name;
  binding.metadata.namespace = request.info.namespace;
  await admitOrder(context, request, { name, object: binding, objectKind: BINDING, dryRun: options.dryRun });
  const single = { ...request, kind: pods, info: { ...request.info, resource: "pods", name, subresource: "binding" } };
  await modifyObject(context, single, options, {
    change(pod) {
      const why = findObstacle(pod, binding);
      if (why !== undefined) throw conflict(pods, name, why);
      return bind(pod, node, binding, timestamp(context.clock.now()));
    },
    track: () => {},
    isOwn: true,
  });
  return jsonReply({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 }, 201);
}

/** @throws Invalid where it names none */
function nodeOf(binding: KubeObject, name: string): string {
  const [kind, node] = [textAt(binding, "target", "kind"), textAt(binding, "target", "name")];
  const wrong = [
    ...(kind === "" || kind === "Node" ? [] : [notSupported("target.kind", kind, ["Node", "<empty>"])]),
    ...(node === "" ? [required("target.name")] : []),
  ];
  if (wrong.length > 0) throw invalidObject({ group: "", resource: "Binding" }, name, wrong);
  return node;
}

/** Why the pod is not to be bound. */
function findObstacle(
  pod: KubeObject,
  { metadata: { uid = "", resourceVersion = "" } }: KubeObject,
): string | undefined {
  const { metadata } = pod;
  if (uid !== "" && uid !== metadata.uid) {
    return `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`;
  }
  if (resourceVersion !== "" && resourceVersion !== metadata.resourceVersion) {
    return `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${metadata.resourceVersion}`;
  }
  if (metadata.deletionTimestamp !== undefined) {
    return `pod ${metadata.name} is being deleted, cannot be assigned to a host`;
  }
  const node = textAt(pod, "spec", "nodeName");
  if (node !== "") return `pod ${metadata.name} is already assigned to node "${node}"`;
  if (listAt(pod, "spec", "schedulingGates").length > 0)
    return `pod ${metadata.name} has non-empty .spec.schedulingGates`;
  return undefined;
}

function bind(pod: KubeObject, node: string, binding: KubeObject, now: string): KubeObject {
  pod["spec"] = { ...(pod["spec"] as JsonObject), nodeName: node };
  const status = (pod["status"] ?? {}) as JsonObject;
  const others = Array.isArray(status["conditions"])
    ? status["conditions"].filter((one) => textAt(one, "type") !== "PodScheduled")
    : [];
  pod["status"] = {
    ...status,
    conditions: [...others, { type: "PodScheduled", status: "True", lastProbeTime: null, lastTransitionTime: now }],
  };
  const { annotations, labels } = binding.metadata;
  if (annotations !== undefined) pod.metadata.annotations = { ...pod.metadata.annotations, ...annotations };
  // What the pod says of itself stays.
  if (labels !== undefined) pod.metadata.labels = { ...labels, ...pod.metadata.labels };
  return pod;
}
