import { hostAndPort } from "@boxship/base/dial-words";
import { defineCommand } from "../command.ts";
import { buildPorts } from "../container-options/ports.ts";
import { print } from "../context.ts";
import { containerPath } from "../shared/container-path.ts";

interface Binding {
  readonly HostIp: string;
  readonly HostPort: string;
}

export const command = defineCommand({
  usage: "CONTAINER [[IP:][HOST_PORT]:]PORT[/PROTOCOL]...",
  summary: "Publish ports of a container that exists, at once if it runs",
  flags: {},
  operands: { min: 2, max: Number.POSITIVE_INFINITY },
  completes: "container",
  async run(context, { operands: [name = "", ...specs] }) {
    const { bindings } = buildPorts(specs, []);
    const path = `/boxship${containerPath(name, "/ports")}`;
    for (const [port, list] of Object.entries(bindings)) {
      for (const binding of list) {
        const body = { Port: port, ...binding };
        const published = await context.api.json<readonly Binding[]>("POST", path, { body });
        for (const { HostIp, HostPort } of published) print(context, `${port} -> ${hostAndPort(HostIp, HostPort)}`);
      }
    }
  },
});
