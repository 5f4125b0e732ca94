import type { JsonObject } from "@boxship/api";
import type { Command } from "../command.ts";
import { Refusal } from "../failure.ts";
import { int, slice, str } from "../flags.ts";
import { generator, intOrString, objectOf } from "./generator.ts";

type ServiceType = "ClusterIP" | "ExternalName" | "LoadBalancer" | "NodePort";

function parsePort(text: string): JsonObject {
  const [port = "", target = port, ...more] = text.split(":");
  const number = Number(port);
  if (more.length > 0 || !/^\d+$/.test(port) || number > 65_535)
    throw new Refusal(`invalid port or port range: ${text}`);
  if (/^\d+$/.test(target) ? Number(target) > 65_535 : !/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(target)) {
    throw new Refusal(`invalid target port: ${target}`);
  }
  return { name: text.replace(":", "-"), protocol: "TCP", port: number, targetPort: intOrString(target) };
}

function serviceCommand(type: ServiceType): Command {
  return generator({
    usage: "NAME [--tcp=port:targetPort] [--dry-run=server|client|none]",
    summary: `Create a ${type} service with the specified name`,
    flags: {
      ...(type === "ClusterIP" && { clusterip: str() }),
      ...(type === "ExternalName" && { "external-name": str() }),
      ...(type === "NodePort" && { "node-port": int() }),
      tcp: slice(),
    },
    ...(type === "ExternalName" && { required: ["external-name"] }),
    build({ flags, name }) {
      const given = flags as Readonly<Record<string, unknown>>;
      const { tcp } = flags;
      const ip = typeof given["clusterip"] === "string" ? given["clusterip"] : "";
      if (tcp.length === 0 && type !== "ExternalName" && ip !== "None") {
        throw new Refusal("at least one tcp port specifier must be provided");
      }
      if (ip === "None" && tcp.length > 0) throw new Refusal("can not map ports with clusterip=None");
      const nodePort = Number(given["node-port"] ?? 0);
      const ports = tcp.map((text) => ({ ...parsePort(text), ...(nodePort > 0 && { nodePort }) }));
      return objectOf(
        "v1",
        "Service",
        { name, labels: { app: name } },
        {
          spec: {
            ...(ports.length > 0 && { ports }),
            selector: { app: name },
            ...(ip !== "" && { clusterIP: ip }),
            type,
            ...(type === "ExternalName" && { externalName: String(given["external-name"]) }),
          },
          status: { loadBalancer: {} },
        },
      );
    },
  });
}

export const clusterip = serviceCommand("ClusterIP");
export const externalname = serviceCommand("ExternalName");
export const loadbalancer = serviceCommand("LoadBalancer");
export const nodeport = serviceCommand("NodePort");
