import { type ContainerState, type ContainerView, isAlive } from "@boxship/engine";
import { processOf } from "../format/command-line.ts";
import { NEVER, rfc3339 } from "../format/time.ts";
import { containerConfig } from "../wire/container-config.ts";
import { hostConfig } from "../wire/host-config.ts";
import { encodeEndpoints } from "./endpoint.ts";
import { DEFAULT_MASKED_PATHS, DEFAULT_READONLY_PATHS, type HostDefaults } from "./host-defaults.ts";
import { encodeMountPoints } from "./mount-points.ts";
import { portBindings } from "./ports.ts";

/** `GET /containers/{id}/json`. */
export function encodeContainerInspect(
  view: ContainerView,
  defaults: HostDefaults,
  version: number,
): Record<string, unknown> {
  const { path, args } = processOf(view.effective);
  return {
    Id: view.id,
    Created: rfc3339(view.created),
    Path: path,
    Args: args,
    State: encodeState(view),
    Image: view.imageId,
    ResolvConfPath: view.resolvConfPath,
    HostnamePath: view.hostnamePath,
    HostsPath: view.hostsPath,
    LogPath: view.logPath,
    Name: `/${view.name}`,
    RestartCount: view.restartCount,
    Driver: view.graph.name,
    Platform: view.platform.os,
    MountLabel: "",
    ProcessLabel: "",
    AppArmorProfile: "",
    ExecIDs: view.execIds.length === 0 ? null : view.execIds,
    HostConfig: encodeHostConfig(view, defaults, version),
    GraphDriver: { Data: view.graph.data, Name: view.graph.name },
    ...(view.size === undefined ? {} : { SizeRw: view.size.writable, SizeRootFs: view.size.rootfs }),
    Mounts: encodeMountPoints(view.mounts),
    Config: containerConfig.encode(view.effective, version),
    NetworkSettings: encodeNetworkSettings(view, version),
  };
}

function encodeState(view: ContainerView): Record<string, unknown> {
  const { state } = view;
  const { status } = state;
  return {
    Status: status,
    // A container between two attempts counts as running: it will be, unless someone stops it.
    Running: isAlive(state) || status === "restarting",
    Paused: status === "paused",
    Restarting: status === "restarting",
    OOMKilled: "oomKilled" in state && state.oomKilled === true,
    Dead: status === "dead",
    Pid: isAlive(state) ? state.pid : 0,
    ExitCode: "exitCode" in state ? (state.exitCode ?? 0) : 0,
    Error: "error" in state ? (state.error ?? "") : "",
    ...encodeTimes(state),
    ...healthOf(view),
  };
}

function encodeTimes(state: ContainerState): Record<string, string> {
  return {
    StartedAt: "startedAt" in state ? rfc3339(state.startedAt) : NEVER,
    FinishedAt: "finishedAt" in state ? rfc3339(state.finishedAt) : NEVER,
  };
}

/** A container that has run and does not is unhealthy, as Docker has it; one that was never started says nothing. */
function healthOf({ health, state, effective }: ContainerView): { readonly Health?: Record<string, unknown> } {
  if (health !== undefined) return { Health: encodeHealth(health) };
  const [kind] = effective.healthcheck?.test ?? [];
  const ended = state.status === "exited" || state.status === "restarting";
  if (!ended || kind === undefined || kind === "NONE") return {};
  return { Health: encodeHealth({ status: "unhealthy", failingStreak: 0, log: [] }) };
}

function encodeHealth(health: NonNullable<ContainerView["health"]>): Record<string, unknown> {
  return {
    Status: health.status,
    FailingStreak: health.failingStreak,
    Log: health.log.map((probe) => ({
      Start: rfc3339(probe.start),
      End: rfc3339(probe.end),
      ExitCode: probe.exitCode,
      Output: probe.output,
    })),
  };
}

function encodeHostConfig(view: ContainerView, defaults: HostDefaults, version: number): Record<string, unknown> {
  const { hostConfig: host } = view;
  const privileged = host.privileged === true;
  const encoded = hostConfig.encode(host, version) as Record<string, unknown>;
  return {
    ...encoded,
    LogConfig: encoded["LogConfig"] ?? { Type: "json-file", Config: {} },
    Runtime: encoded["Runtime"] ?? defaults.runtime,
    OomKillDisable: encoded["OomKillDisable"] ?? defaults.oomKillDisable,
    ...(version >= 40
      ? { CgroupnsMode: encoded["CgroupnsMode"] ?? (privileged ? "host" : defaults.cgroupnsMode) }
      : {}),
    MaskedPaths: encoded["MaskedPaths"] ?? (privileged ? null : DEFAULT_MASKED_PATHS),
    ReadonlyPaths: encoded["ReadonlyPaths"] ?? (privileged ? null : DEFAULT_READONLY_PATHS),
  };
}

function encodeNetworkSettings(view: ContainerView, version: number): Record<string, unknown> {
  const networks = encodeEndpoints(view, version);
  const bridge = (networks["bridge"] ?? {}) as Record<string, unknown>;
  return {
    Bridge: "",
    SandboxID: view.sandboxId,
    SandboxKey: view.sandboxPath,
    Ports: portBindings(view),
    HairpinMode: false,
    LinkLocalIPv6Address: "",
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: bridge["EndpointID"] ?? "",
    Gateway: bridge["Gateway"] ?? "",
    GlobalIPv6Address: bridge["GlobalIPv6Address"] ?? "",
    GlobalIPv6PrefixLen: bridge["GlobalIPv6PrefixLen"] ?? 0,
    IPAddress: bridge["IPAddress"] ?? "",
    IPPrefixLen: bridge["IPPrefixLen"] ?? 0,
    IPv6Gateway: bridge["IPv6Gateway"] ?? "",
    MacAddress: bridge["MacAddress"] ?? "",
    Networks: networks,
  };
}
