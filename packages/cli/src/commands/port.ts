import { hostAndPort } from "@boxship/base/dial-words";
import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { Failure } from "../failure.ts";
import { naturalCompare } from "../format/natural-order.ts";
import { containerPath } from "../shared/container-path.ts";

interface Binding {
  readonly HostIp: string;
  readonly HostPort: string;
}

type Ports = Readonly<Record<string, readonly Binding[] | null>>;

export const command = defineCommand({
  usage: "CONTAINER [PRIVATE_PORT[/PROTO]]",
  summary: "List port mappings or a specific mapping for the container",
  flags: {},
  operands: { min: 1, max: 2 },
  completes: "running-container",
  async run(context, { operands: [name = "", port] }) {
    const container = await context.api.json<{ readonly NetworkSettings: { readonly Ports?: Ports | null } }>(
      "GET",
      containerPath(name, "/json"),
    );
    const ports = container.NetworkSettings.Ports ?? {};
    const lines = port === undefined ? allMappings(ports) : mappingsOf(ports, port, name);
    if (lines.length > 0) print(context, lines.toSorted(naturalCompare).join("\n"));
  },
});

const address = ({ HostIp, HostPort }: Binding): string => hostAndPort(HostIp, HostPort);

function allMappings(ports: Ports): readonly string[] {
  return Object.entries(ports).flatMap(([port, bindings]) =>
    (bindings ?? []).map((binding) => `${port} -> ${address(binding)}`),
  );
}

function mappingsOf(ports: Ports, wanted: string, container: string): readonly string[] {
  const [number = "", protocol = "tcp"] = wanted.split("/");
  if (!/^\d+$/.test(number) || Number(number) > 65535) throw new Failure(`Error: invalid port (${number})`);
  const bindings = ports[`${number}/${protocol || "tcp"}`] ?? [];
  if (bindings.length === 0) throw new Failure(`Error: No public port '${wanted}' published for ${container}`);
  return bindings.map(address);
}
