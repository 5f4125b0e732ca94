import { type Json, type KubeObject, textAt } from "@boxship/api";
import type { Attributes, Authorizer, Decision, ResourceInfo } from "../contract.ts";
import { ruleAllows } from "../rbac/rule.ts";
import type { ServerContext } from "../server-context.ts";
import { allObjects, readObject } from "../storage/read-objects.ts";
import { NODE_RULES, nodeOfUser } from "./node-rules.ts";
import { podReferences } from "./pod-references.ts";

const ALLOWED: Decision = { verdict: "allow" };
const UNDECIDED: Decision = { verdict: "no-opinion" };

/** Objects of persistent volumes that name secrets, with the namespace beside the name. */
const VOLUME_SECRETS = [
  ["csi", "controllerPublishSecretRef"],
  ["csi", "nodeStageSecretRef"],
  ["csi", "nodePublishSecretRef"],
  ["csi", "nodeExpandSecretRef"],
  ["cephfs", "secretRef"],
  ["flexVolume", "secretRef"],
  ["iscsi", "secretRef"],
  ["rbd", "secretRef"],
] as const;

/**
 * What a node may do: to itself, to its pods, and to read what those need, by name. A node that is broken into has no
 * more than its own.
 */
export class NodeAuthorizer implements Authorizer {
  readonly #context: () => ServerContext;

  constructor(context: () => ServerContext) {
    this.#context = context;
  }

  authorize(attributes: Attributes): Decision | Promise<Decision> {
    const node = nodeOfUser(attributes.user);
    const { resource } = attributes;
    return node === undefined || resource === undefined ? UNDECIDED : this.#decide(node, resource, attributes);
  }

  async #decide(node: string, resource: ResourceInfo, attributes: Attributes): Promise<Decision> {
    const { verb } = attributes;
    switch (resource.group === "" ? resource.resource : `${resource.group}/${resource.resource}`) {
      case "secrets":
      case "configmaps":
        return await this.#needed(
          node,
          resource,
          ["get", "list", "watch"].includes(verb) && resource.subresource === "",
        );
      case "persistentvolumeclaims":
        return await this.#needed(
          node,
          resource,
          resource.subresource === ""
            ? verb === "get"
            : resource.subresource === "status" && ["get", "update", "patch"].includes(verb),
        );
      case "persistentvolumes":
        return verb === "get" && resource.subresource === "" && (await this.#hasVolume(node, resource.name))
          ? ALLOWED
          : none(node);
      case "resource.k8s.io/resourceclaims":
        return await this.#needed(node, resource, verb === "get" && resource.subresource === "");
      case "serviceaccounts":
        return await this.#needed(
          node,
          resource,
          resource.subresource === "token" ? verb === "create" : verb === "get",
        );
      case "storage.k8s.io/volumeattachments":
        return verb === "get" && (await this.#isAttachedTo(node, resource.name)) ? ALLOWED : none(node);
      case "storage.k8s.io/csinodes":
        return isOwn(attributes, node, ["get", "create", "update", "patch", "delete"]);
      case "coordination.k8s.io/leases":
        return resource.namespace === "kube-node-lease"
          ? isOwn(attributes, node, ["get", "create", "update", "patch", "delete"])
          : none(node);
      case "nodes":
        return decideNode(attributes, node);
      case "pods":
        return await this.#pod(attributes, resource, node);
      default:
        return byRules(attributes);
    }
  }

  async #pod(attributes: Attributes, { name, namespace, subresource }: ResourceInfo, node: string): Promise<Decision> {
    const { verb, fieldSelector = "" } = attributes;
    if (subresource !== "" || (verb !== "get" && verb !== "list" && verb !== "watch")) return byRules(attributes);
    if (selects(fieldSelector, "spec.nodeName", node)) return ALLOWED;
    const pod = name === "" ? undefined : await readObject(this.#context(), "", "pods", { name, namespace });
    if (pod !== undefined && textAt(pod, "spec", "nodeName") === node) return ALLOWED;
    return { verdict: "no-opinion", reason: "can only list/watch pods with spec.nodeName field selector" };
  }

  async #podsOf(node: string): Promise<readonly KubeObject[]> {
    const pods = await allObjects(this.#context(), "", "pods");
    return pods.filter((pod) => textAt(pod, "spec", "nodeName") === node);
  }

  /** What a pod of the node needs, or a volume of one. */
  async #needed(node: string, { resource, namespace, name }: ResourceInfo, fits: boolean): Promise<Decision> {
    if (!fits) return none(node);
    if (name === "") return { verdict: "no-opinion", reason: "No Object name found" };
    const pods = await this.#podsOf(node);
    const wanted = `${resource}/${name}`;
    if (pods.some((pod) => pod.metadata.namespace === namespace && podReferences(pod).has(wanted))) return ALLOWED;
    if (resource === "secrets" && (await this.#isVolumeSecret(node, namespace, name))) return ALLOWED;
    return none(node);
  }

  async #volumesOf(node: string): Promise<readonly KubeObject[]> {
    const context = this.#context();
    const claims = (await this.#podsOf(node)).flatMap((pod) =>
      [...podReferences(pod)]
        .filter((one) => one.startsWith("persistentvolumeclaims/"))
        .map((one) => ({ namespace: pod.metadata.namespace ?? "", name: one.slice(one.indexOf("/") + 1) })),
    );
    const found = await Promise.all(
      claims.map(async (claim) => {
        const name = textAt(
          (await readObject(context, "", "persistentvolumeclaims", claim)) ?? {},
          "spec",
          "volumeName",
        );
        return name === "" ? undefined : await readObject(context, "", "persistentvolumes", { name });
      }),
    );
    return found.filter((volume) => volume !== undefined);
  }

  async #hasVolume(node: string, name: string): Promise<boolean> {
    return (await this.#volumesOf(node)).some(({ metadata }) => metadata.name === name);
  }

  async #isVolumeSecret(node: string, namespace: string, name: string): Promise<boolean> {
    const isIt = (volume: Json): boolean =>
      VOLUME_SECRETS.some(
        (path) =>
          textAt(volume, "spec", ...path, "name") === name &&
          textAt(volume, "spec", ...path, "namespace") === namespace,
      );
    return (await this.#volumesOf(node)).some(isIt);
  }

  async #isAttachedTo(node: string, name: string): Promise<boolean> {
    const found = await readObject(this.#context(), "storage.k8s.io", "volumeattachments", { name });
    return found !== undefined && textAt(found, "spec", "nodeName") === node;
  }
}

const none = (node: string): Decision => ({
  verdict: "no-opinion",
  reason: `no relationship found between node '${node}' and this object`,
});

function byRules(attributes: Attributes): Decision {
  return NODE_RULES.some((rule) => ruleAllows(rule, attributes)) ? ALLOWED : UNDECIDED;
}

/** An object of the node's own name; where it is made, its name is not known yet and is looked at later. */
function isOwn({ verb, resource }: Attributes, node: string, verbs: readonly string[]): Decision {
  if (!verbs.includes(verb) || resource === undefined || resource.subresource !== "") return none(node);
  return resource.name === node || (verb === "create" && resource.name === "") ? ALLOWED : none(node);
}

function decideNode(attributes: Attributes, node: string): Decision {
  const { verb, resource } = attributes;
  if (resource === undefined) return UNDECIDED;
  if (resource.name === node) {
    const verbs =
      resource.subresource === "" ? ["get", "list", "watch", "update", "patch"] : ["get", "update", "patch"];
    if (verbs.includes(verb) && (resource.subresource === "" || resource.subresource === "status")) return ALLOWED;
  }
  if (verb === "get" || verb === "list" || verb === "watch") {
    return { verdict: "no-opinion", reason: `node '${node}' cannot read '${resource.name}', only its own Node object` };
  }
  return byRules(attributes);
}

function selects(fieldSelector: string, field: string, value: string): boolean {
  return fieldSelector.split(",").some((one) => one === `${field}=${value}` || one === `${field}==${value}`);
}
