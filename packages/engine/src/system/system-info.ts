import { createHash, randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { arch, availableParallelism, hostname, release, totalmem } from "node:os";
import { CDI_DIRECTORIES } from "@boxship/runtime";
import { cdiDevices } from "../container/start-spec.ts";
import { isAlive } from "../container/state.ts";
import type { EngineContext } from "../context.ts";
import type { EngineInfo } from "../engine-api.ts";
import { VERSION } from "./version.ts";

/** Everything that `info` shows. */
export async function engineInfo(context: EngineContext): Promise<EngineInfo> {
  const { runtime, containers, images, network, options } = context;
  const records = containers.all();
  const running = records.filter(({ state }) => state.status === "running").length;
  const paused = records.filter(({ state }) => state.status === "paused").length;
  const alive = records.filter(({ state }) => isAlive(state)).length;
  const system = await osRelease();
  return {
    id: await machineIdentity(options.root),
    name: options.name,
    root: options.root,
    version: VERSION,
    containers: { total: records.length, running, paused, stopped: records.length - alive },
    images: images.count(),
    storageDriver: context.snapshotter.driver,
    storageStatus: [["Backing Filesystem", context.snapshotter.filesystem]],
    runtimes: runtime.info.runtimes.filter(({ usable }) => usable),
    defaultRuntime: runtime.info.default,
    monitorVersion: runtime.info.conmonVersion,
    cgroupVersion: runtime.info.cgroup === "v2" ? 2 : 1,
    cgroups: runtime.info.cgroup !== "none",
    limits: {
      memory: runtime.host.cgroup.controllers.has("memory"),
      swap: runtime.host.cgroup.swap,
      cpu: runtime.host.cgroup.controllers.has("cpu"),
      cpuset: runtime.host.cgroup.controllers.has("cpuset"),
      pids: runtime.host.cgroup.controllers.has("pids"),
    },
    kernelVersion: release(),
    operatingSystem: system.name,
    osVersion: system.version,
    architecture: MACHINES[arch()] ?? arch(),
    cpus: availableParallelism(),
    memory: totalmem(),
    hostname: hostname(),
    ipv4Forwarding: (await textOf("/proc/sys/net/ipv4/ip_forward")).trim() === "1",
    securityOptions: [
      "name=seccomp,profile=builtin",
      ...(context.remap === undefined ? [] : ["name=userns"]),
      ...(runtime.host.userNamespace ? ["name=rootless"] : []),
    ],
    cdiDirectories: options.cdiDirectories ?? CDI_DIRECTORIES,
    discoveredDevices: (await cdiDevices(context)).names().map((id) => ({ source: "cdi", id })),
    addressPools: options.addressPools ?? [],
    insecureRegistries: images.insecureRegistries(),
    mirrors: images.mirrors(),
    warnings: [...runtime.info.warnings, ...(await network.warnings()), ...stuckWarnings(context)],
  };
}

function stuckWarnings({ stuckRemovals }: EngineContext): readonly string[] {
  return [...stuckRemovals.values()].map(
    ({ record, reason }) => `something of the removed container ${record.name} is still there: ${reason}`,
  );
}

const MACHINES: Readonly<Record<string, string>> = { x64: "x86_64", arm64: "aarch64" };

async function textOf(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}

async function osRelease(): Promise<{ readonly name: string; readonly version: string }> {
  const text = (await textOf("/etc/os-release")) || (await textOf("/usr/lib/os-release"));
  const field = (key: string) => new RegExp(`^${key}="?([^"\\n]*)"?$`, "m").exec(text)?.[1];
  return { name: field("PRETTY_NAME") ?? "Linux", version: field("VERSION_ID") ?? "" };
}

/** The same for the life of the machine and root; not the machine id itself, which is not to be handed out. */
async function machineIdentity(root: string): Promise<string> {
  const machine = (await textOf("/etc/machine-id")).trim() || randomUUID();
  const digest = createHash("sha256").update(`boxship ${machine} ${root}`).digest("hex");
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-${digest.slice(12, 16)}-${digest.slice(16, 20)}-${digest.slice(20, 32)}`;
}
