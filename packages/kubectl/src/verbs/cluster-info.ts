import { textAt } from "@boxship/api";
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
    for (const { metadata } of found) {
      const name = textAt(metadata.labels, "kubernetes.io/name") || (metadata.name ?? "");
      const path = `/api/v1/namespaces/${metadata.namespace ?? ""}/services/${metadata.name ?? ""}/proxy`;
      session.print(`${paint(32, name)} is running at ${paint(33, `${server}${path}`)}`);
    }
    session.print("\nTo further debug and diagnose cluster problems, use 'kubectl cluster-info dump'.");
  },
});
