import { type KubeObject, textAt } from "@boxship/api";
import type { AdmissionPlugin } from "../contract.ts";
import type { ServerContext } from "../server-context.ts";
import { objectKey } from "../storage/object-bytes.ts";
import { builtinKind } from "../storage/read-objects.ts";

const LABELS = ["topology.kubernetes.io/region", "topology.kubernetes.io/zone"];

/** Pods know where they are: they have the region and the zone of their node as labels of their own. */
export function topologyLabels(context: () => ServerContext): AdmissionPlugin {
  return {
    name: "PodTopologyLabels",
    async mutate({ kind, operation, subresource, object, objectKind }) {
      if (operation !== "CREATE" || object === null) return;
      const isBinding = objectKind?.kind === "Binding";
      if (!isBinding && (kind.group !== "" || kind.resource !== "pods" || subresource !== "")) return;
      const target = textAt(object, "target", "kind");
      if (isBinding && target !== "" && target !== "Node") return;
      const node = isBinding ? textAt(object, "target", "name") : textAt(object, "spec", "nodeName");
      if (node !== "") await copyLabels(context(), node, object);
    },
  };
}

async function copyLabels(context: ServerContext, node: string, { metadata }: KubeObject): Promise<void> {
  const kind = builtinKind(context, "", "nodes");
  // As they were a moment ago will do, and is looked up without asking the store.
  const labels = (await context.objects.cache(kind)).get(objectKey(kind, "", node))?.labels(kind);
  if (labels === undefined) return;
  for (const name of LABELS) {
    const value = labels[name];
    if (value !== undefined && metadata.labels?.[name] === undefined)
      metadata.labels = { ...metadata.labels, [name]: value };
  }
}
