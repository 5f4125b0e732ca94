import { defineCommand } from "../command.ts";
import { buildPorts } from "../container-options/ports.ts";
import { containerPath } from "../shared/container-path.ts";

export const command = defineCommand({
  usage: "CONTAINER [[IP:][HOST_PORT]:]PORT[/PROTOCOL]...",
  summary: "Take published ports of a container back, at once if it runs",
  flags: {},
  operands: { min: 2, max: Number.POSITIVE_INFINITY },
  completes: "container",
  async run(context, { operands: [name = "", ...specs] }) {
    const { bindings } = buildPorts(specs, []);
    for (const [port, list] of Object.entries(bindings)) {
      for (const { HostIp, HostPort } of list) {
        const query = { port, hostip: HostIp, hostport: HostPort };
        await context.api.call("DELETE", `/boxship${containerPath(name, "/ports")}`, { query });
      }
    }
  },
});
