import { isObject, type Json, type JsonObject, type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import { defineCommand } from "../command.ts";
import { PlainRefusal, Refusal } from "../failure.ts";
import { str } from "../flags.ts";
import { createGenerated, generatorFlags, intOrString, objectOf, parseLabels } from "../generate/generator.ts";
import { fileFlags } from "../global-flags.ts";
import { forEachObject } from "./objects-of.ts";
import { podSpecOf } from "./pod-template.ts";

const EXPOSABLE = new Set(["Pod", "Service", "ReplicationController", "Deployment", "ReplicaSet"]);

export const command = defineCommand({
  usage:
    "(-f FILENAME | TYPE NAME) [--port=port] [--protocol=TCP|UDP|SCTP] [--target-port=number-or-name] [--name=name] [--external-ip=external-ip-of-service] [--type=type]",
  summary: "Take a replication controller, service, deployment or pod and expose it as a new Kubernetes service",
  flags: {
    ...fileFlags,
    ...generatorFlags,
    "field-manager": str("kubectl-expose"),
    "cluster-ip": str(),
    "external-ip": str(),
    labels: str("", { short: "l" }),
    "load-balancer-ip": str(),
    name: str(),
    "override-type": str("merge"),
    overrides: str(),
    port: str(),
    protocol: str(),
    selector: str(),
    "session-affinity": str(),
    "target-port": str(),
    type: str(),
  },
  async run(session, { flags, operands }) {
    if (flags.overrides !== "") throw new Refusal("--overrides is not supported");
    await forEachObject(session, operands, flags, async ({ object, name }) => {
      if (!EXPOSABLE.has(object.kind)) throw new PlainRefusal(`error: cannot expose a ${object.kind}`);
      const selector = flags.selector === "" ? selectorOf(object) : parseLabels(flags.selector);
      const ports =
        flags.port === ""
          ? portsOf(object)
          : flags.port.split(",").map((port) => ({ port: Number(port), protocol: "TCP" }));
      if (ports.length === 0) throw new Refusal("couldn't find port via --port flag or introspection");
      const labels = flags.labels === "" ? valueAt(object, "metadata", "labels") : parseLabels(flags.labels);
      const service = objectOf(
        "v1",
        "Service",
        {
          name: flags.name || name,
          ...(isObject(labels) && { labels: { ...labels } }),
        },
        {
          spec: {
            ports: ports.map(
              (port, index): JsonObject => ({
                ...(ports.length > 1 && { name: `port-${index + 1}` }),
                protocol: flags.protocol === "" ? port.protocol : flags.protocol.toUpperCase(),
                port: port.port,
                targetPort: flags["target-port"] === "" ? port.port : intOrString(flags["target-port"]),
              }),
            ),
            selector,
            ...(flags["cluster-ip"] !== "" && { clusterIP: flags["cluster-ip"] }),
            ...(flags.type !== "" && { type: flags.type }),
            ...(flags["external-ip"] !== "" && { externalIPs: [flags["external-ip"]] }),
            ...(flags["session-affinity"] !== "" && { sessionAffinity: flags["session-affinity"] }),
            ...(flags["load-balancer-ip"] !== "" && { loadBalancerIP: flags["load-balancer-ip"] }),
          },
          status: { loadBalancer: {} },
        },
      );
      await createGenerated(session, service, flags, "exposed");
    });
  },
});

function selectorOf(object: KubeObject): JsonObject {
  const { kind } = object;
  const found =
    kind === "Pod"
      ? valueAt(object, "metadata", "labels")
      : kind === "Service" || kind === "ReplicationController"
        ? valueAt(object, "spec", "selector")
        : valueAt(object, "spec", "selector", "matchLabels");
  const expressions = listAt(object, "spec", "selector", "matchExpressions");
  if (expressions.length > 0) {
    const shown = expressions.map((one) => {
      const values = listAt(one, "values").map((value) => textAt(value));
      return `{Key:${textAt(one, "key")} Operator:${textAt(one, "operator")} Values:[${values.join(" ")}]}`;
    });
    throw new Refusal(
      `couldn't retrieve selectors via --selector flag or introspection: couldn't convert expressions - ${JSON.stringify(`[${shown.join(" ")}]`)} to map-based selector format`,
    );
  }
  if (!isObject(found) || Object.keys(found).length === 0) {
    throw new Refusal(
      kind === "Pod"
        ? "couldn't retrieve selectors via --selector flag or introspection: the pod has no labels and cannot be exposed"
        : `couldn't retrieve selectors via --selector flag or introspection: the ${kind.toLowerCase()} has no selector set`,
    );
  }
  return { ...found };
}

function portsOf(object: KubeObject): readonly { readonly port: number; readonly protocol: string }[] {
  const list: readonly Json[] =
    object.kind === "Service"
      ? listAt(object, "spec", "ports")
      : listAt(podSpecOf(object), "containers").flatMap((container) => listAt(container, "ports"));
  const field = object.kind === "Service" ? "port" : "containerPort";
  return list.map((one) => ({ port: Number(valueAt(one, field)), protocol: textAt(one, "protocol") || "TCP" }));
}
