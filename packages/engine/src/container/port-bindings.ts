import { InvalidArgument } from "@boxship/base";
import type { HostConfig, PortBinding } from "./config.ts";

export interface WantedPort {
  readonly protocol: "tcp" | "udp" | "sctp";
  readonly containerPort: number;
  readonly hostIp?: string;
  /** Candidates in order, inclusive; absent means that the engine picks one. */
  readonly hostPorts?: readonly [first: number, last: number];
}

/** `80/tcp` in parts. @throws InvalidArgument */
export function parsePort(port: string): { readonly protocol: WantedPort["protocol"]; readonly containerPort: number } {
  const match = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/i.exec(port);
  const containerPort = Number(match?.[1]);
  if (match === null || containerPort < 1 || containerPort > 65535) {
    throw new InvalidArgument(`invalid port specification: "${port}"`, { subject: { kind: "port", name: port } });
  }
  return { containerPort, protocol: (match[2]?.toLowerCase() ?? "tcp") as WantedPort["protocol"] };
}

/** @throws InvalidArgument */
export function parseHostPorts(ports: string): readonly [number, number] | undefined {
  if (ports === "" || ports === "0") return undefined;
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(ports);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (match === null || first < 1 || last > 65535 || last < first) {
    throw new InvalidArgument(`invalid host port: "${ports}"`, { subject: { kind: "port", name: ports } });
  }
  return [first, last];
}

function wanted(port: string, binding: PortBinding): WantedPort {
  const hostPorts = parseHostPorts(binding.hostPort ?? "");
  return {
    ...parsePort(port),
    ...(binding.hostIp === undefined || binding.hostIp === "" ? {} : { hostIp: binding.hostIp }),
    ...(hostPorts === undefined ? {} : { hostPorts }),
  };
}

/** All ports that are to be published: the bindings, and with `-P` every exposed port that has none. */
export function wantedPorts(hostConfig: HostConfig, exposedPorts: readonly string[]): readonly WantedPort[] {
  const bindings = Object.entries(hostConfig.portBindings ?? {});
  const ports = bindings.flatMap(([port, list]) =>
    (list.length === 0 ? [{}] : list).map((binding) => wanted(port, binding)),
  );
  if (hostConfig.publishAllPorts === true) {
    const bound = new Set(ports.map((port) => `${port.containerPort}/${port.protocol}`));
    for (const exposed of exposedPorts) {
      const port = parsePort(exposed);
      if (!bound.has(`${port.containerPort}/${port.protocol}`)) ports.push(port);
    }
  }
  return ports;
}
