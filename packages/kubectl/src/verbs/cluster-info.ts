import { type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import { defineCommand } from "../command.ts";
import { listObjects } from "../request/objects.ts";

export const command = defineCommand({
  usage: "",
  summary: "Display addresses of the control plane and services with label kubernetes.io/cluster-service=true",
  flags: {},
  async run(session) {
    const services = (await session.mapper()).known("", "services");
    const { server } = await session.api();
    const paint = (code: number, text: string): string =>
      session.io.stdout.isTTY === true ? `\u001b[0;${code}m${text}\u001b[0m` : text;
    session.print(`${paint(32, "Kubernetes control plane")} is running at ${paint(33, server)}`);
    const found = await listObjects(session, services, "kube-system", {
      labelSelector: "kubernetes.io/cluster-service=true",
    });
    for (const service of found) {
      const { labels = {}, name = "" } = service.metadata;
      const shown = labels["kubernetes.io/name"] ?? name;
      session.print(`${paint(32, shown)} is running at ${paint(33, linkOf(service, server))}`);
    }
    session.print("\nTo further debug and diagnose cluster problems, use 'kubectl cluster-info dump'.");
  },
});

/** By its balancer, else through the API. */
function linkOf(service: KubeObject, server: string): string {
  const { name = "", namespace = "" } = service.metadata;
  const ports = listAt(service, "spec", "ports");
  const [ingress] = listAt(service, "status", "loadBalancer", "ingress");
  if (ingress !== undefined) {
    const host = textAt(ingress, "ip") || textAt(ingress, "hostname");
    return ports.map((port) => `http://${host}:${Number(valueAt(port, "port"))} `).join("");
  }
  const [first] = ports;
  const portName = textAt(first, "name");
  const isTls = portName === "https" || valueAt(first, "port") === 443;
  const words = isTls ? ["https", name, portName] : portName === "" ? [name] : [name, portName];
  return `${server}/api/v1/namespaces/${namespace}/services/${words.join(":")}/proxy`;
}
