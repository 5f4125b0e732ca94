import { type ContainerView, isAlive, type PublishedPort } from "@boxship/engine";

interface WireBinding {
  readonly HostIp: string;
  readonly HostPort: string;
}

/** A container in the host's network, or in another's, has no ports of its own. */
function hasOwnPorts(view: ContainerView): boolean {
  const mode = view.hostConfig.networkMode ?? "default";
  return isAlive(view.state) && mode !== "host" && mode !== "none" && !mode.startsWith("container:");
}

/** `NetworkSettings.Ports`: null for a port that is exposed and not published. Empty unless the container runs. */
export function portBindings(view: ContainerView): Readonly<Record<string, readonly WireBinding[] | null>> {
  if (!hasOwnPorts(view)) return {};
  const ports: Record<string, WireBinding[] | null> = {};
  for (const exposed of view.effective.exposedPorts) ports[exposed] = null;
  for (const port of view.ports) {
    (ports[`${port.containerPort}/${port.protocol}`] ??= []).push({
      HostIp: port.hostIp,
      HostPort: String(port.hostPort),
    });
  }
  return ports;
}

interface WirePort {
  readonly IP?: string;
  readonly PrivatePort: number;
  readonly PublicPort?: number;
  readonly Type: string;
}

/** `Ports` of a list. */
export function portList(view: ContainerView): readonly WirePort[] {
  if (!hasOwnPorts(view)) return [];
  const published = view.ports.map(wirePort);
  const taken = new Set(view.ports.map((port) => `${port.containerPort}/${port.protocol}`));
  const exposed = view.effective.exposedPorts.filter((port) => !taken.has(port)).map(exposedPort);
  return [...published, ...exposed];
}

function wirePort(port: PublishedPort): WirePort {
  return { IP: port.hostIp, PrivatePort: port.containerPort, PublicPort: port.hostPort, Type: port.protocol };
}

function exposedPort(text: string): WirePort {
  const [port = "", protocol = "tcp"] = text.split("/", 2);
  return { PrivatePort: Number.parseInt(port, 10), Type: protocol };
}
