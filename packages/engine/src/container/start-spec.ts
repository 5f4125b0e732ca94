import { chown, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { Conflict, FailedPrecondition } from "@boxship/base";
import type { IdRange } from "@boxship/kernel";
import {
  applyEdits,
  buildSpec,
  CDI_DIRECTORIES,
  CdiDevices,
  type ContainerEdits,
  editsOfDrivers,
  type NamespaceChoice,
  NO_EDITS,
  type OciIdMapping,
  type OciMount,
  type OciSpec,
  parseSeccompProfile,
  resolveUser,
  type SpecRequest,
} from "@boxship/runtime";
import { currentRecord, type EngineContext } from "../context.ts";
import { isPodHeld, podIpcPath, podProcessesPath, podSharedMemoryPath } from "../pod/pod-namespaces.ts";
import { type Remap, remapOf } from "../remap/remap.ts";
import type { HostConfig } from "./config.ts";
import { linkEnvironment } from "./link-environment.ts";
import { linkedContainers } from "./linked-containers.ts";
import type { ContainerRecord } from "./record.ts";
import { isRecursivelyReadOnly } from "./recursive-read-only.ts";
import { resourceRequest } from "./resource-request.ts";
import { parseSecurityOptions } from "./security-options.ts";
import { sharedMemoryPath } from "./shared-memory.ts";
import type { JoinedNetwork } from "./start-network.ts";
import { dnsSettings, extraHosts, networkSysctls } from "./start-network.ts";
import type { PreparedMount, PreparedRootfs } from "./start-rootfs.ts";
import { isAlive } from "./state.ts";

/** Builds the OCI `config.json` of a container that is being started, and writes the files it mounts. */
export async function buildContainerSpec(
  context: EngineContext,
  record: ContainerRecord,
  parts: { readonly rootfs: PreparedRootfs; readonly network: JoinedNetwork },
): Promise<OciSpec> {
  const { effective, hostConfig, id } = record;
  const { rootfs, network } = parts;
  await writeNetworkFiles(context, record, network);
  const user = resolveUser(rootfs.path, effective.user, hostConfig.groupAdd ?? [], hostConfig.imageGroups);
  const security = parseSecurityOptions(hostConfig.securityOpt ?? []);
  const namespaces = containerNamespaces(context, hostConfig, network);
  const request: SpecRequest = {
    args: [...effective.entrypoint, ...effective.cmd],
    env: environment(record, user.home, linkEnvironment(record, linkedContainers(context, record))),
    cwd: effective.workingDir || "/",
    user,
    ...(hostConfig.utsMode === "host" ? {} : { hostname: effective.hostname, domainname: effective.domainname }),
    terminal: effective.tty === true,
    ...consoleSize(hostConfig),
    rootfs: rootfs.path,
    readonlyRootfs: hostConfig.readonlyRootfs === true,
    mounts: withFiles(network, [
      ...rootfs.mounts.map((mount) => ociMount(context, mount, hostConfig.runtime)),
      ...tmpfsMounts(hostConfig),
    ]),
    devices: (hostConfig.devices ?? []).map((device) => ({
      hostPath: device.pathOnHost,
      containerPath: device.pathInContainer || device.pathOnHost,
      permissions: device.cgroupPermissions || "rwm",
    })),
    ...rightsOf(hostConfig),
    ...seccompOf(security.seccomp),
    ...(security.systemPathsUnconfined ? { maskedPaths: [], readonlyPaths: [] } : {}),
    ...(hostConfig.maskedPaths === undefined ? {} : { maskedPaths: hostConfig.maskedPaths }),
    ...(hostConfig.readonlyPaths === undefined ? {} : { readonlyPaths: hostConfig.readonlyPaths }),
    // Those of the network were set when its namespace was made.
    sysctls: withoutNetwork(hostConfig.sysctls),
    namespaces,
    resources: resourceRequest(hostConfig.resources ?? {}, hostConfig),
    ...sharedMemory(context, record),
    init: hostConfig.init === true,
    cgroupsPath: cgroupPath(context, record),
    ...(hostConfig.annotations === undefined ? {} : { annotations: hostConfig.annotations }),
  };
  const { spec, warnings } = buildSpec(request, context.runtime.host);
  for (const warning of warnings) context.logger.warn(warning, { container: id });
  return applyEdits(spec, await requestedDevices(context, hostConfig), context.runtime.host);
}

async function requestedDevices(context: EngineContext, { deviceRequests = [] }: HostConfig): Promise<ContainerEdits> {
  if (deviceRequests.length === 0) return NO_EDITS;
  return editsOfDrivers(deviceRequests, { devices: await cdiDevices(context), path: process.env["PATH"] ?? "" });
}

/** The devices that specifications of this host name, as they are at this moment. */
export function cdiDevices({ options, logger }: EngineContext): Promise<CdiDevices> {
  return CdiDevices.read(options.cdiDirectories ?? CDI_DIRECTORIES, logger);
}

/** What the container's processes may do, those of an exec included. */
export function rightsOf(
  hostConfig: HostConfig,
): Pick<SpecRequest, "capabilities" | "privileged" | "noNewPrivileges" | "apparmor" | "rlimits" | "oomScoreAdj"> {
  const { noNewPrivileges, apparmor } = parseSecurityOptions(hostConfig.securityOpt ?? []);
  return {
    capabilities: { add: hostConfig.capAdd ?? [], drop: hostConfig.capDrop ?? [] },
    privileged: hostConfig.privileged === true,
    noNewPrivileges,
    ...(apparmor === undefined ? {} : { apparmor }),
    rlimits: (hostConfig.ulimits ?? []).map(({ name, soft, hard }) => ({ type: name, soft, hard })),
    oomScoreAdj: hostConfig.oomScoreAdj ?? 0,
  };
}

/** The cgroup of a container, below the instance's or the user's parent. */
export function cgroupPath(context: EngineContext, record: ContainerRecord): string {
  const parent = record.hostConfig.cgroupParent || `/${context.options.name}`;
  return `${parent.startsWith("/") ? parent : `/${parent}`}/${record.id}`;
}

function environment({ effective }: ContainerRecord, home: string, links: readonly string[]): readonly string[] {
  const has = (key: string) => effective.env.some((entry) => entry.startsWith(`${key}=`));
  return [
    ...links.filter((entry) => !has(entry.split("=", 1)[0] ?? "")),
    ...effective.env,
    ...(has("HOSTNAME") ? [] : [`HOSTNAME=${effective.hostname}`]),
    ...(effective.tty === true && !has("TERM") ? ["TERM=xterm"] : []),
    ...(has("HOME") ? [] : [`HOME=${home}`]),
  ];
}

function consoleSize({ consoleSize: size }: HostConfig): Pick<SpecRequest, "consoleSize"> {
  if (size === undefined || size[0] === 0 || size[1] === 0) return {};
  return { consoleSize: { height: size[0], width: size[1] } };
}

function seccompOf(seccomp: string | undefined): Pick<SpecRequest, "seccomp"> {
  if (seccomp === undefined) return {};
  if (seccomp === "unconfined") return { seccomp: "unconfined" };
  return { seccomp: seccomp === "builtin" ? "default" : parseSeccompProfile(seccomp) };
}

async function writeNetworkFiles(context: EngineContext, record: ContainerRecord, files: JoinedNetwork): Promise<void> {
  const { hostConfig, effective, id } = record;
  const own = context.containers.directoryOf(id);
  // A container that lives in another's network uses the other's files.
  if (!files.files.resolvConf.startsWith(`${own}/`)) return;
  const onHost = files.namespace === undefined;
  const texts = {
    resolvConf: onHost ? hostResolvers(context, hostConfig) : context.network.resolvConf(id),
    hosts: onHost ? context.network.hostHostsFile(extraHosts(hostConfig)) : context.network.hostsFile(id),
    hostname: `${hostConfig.utsMode === "host" ? hostname() : effective.hostname}\n`,
  };
  await Promise.all([
    writeFile(files.files.resolvConf, texts.resolvConf, { mode: 0o644 }),
    writeFile(files.files.hosts, texts.hosts, { mode: 0o644 }),
    writeFile(files.files.hostname, texts.hostname, { mode: 0o644 }),
  ]);
  const root = remapOf(context, hostConfig)?.root ?? { uid: 0, gid: 0 };
  if (context.remap !== undefined)
    await Promise.all(Object.values(files.files).map((file) => chown(file, root.uid, root.gid)));
}

/** The resolv.conf of a container on the host's network: the host's, but for what the user gave. */
function hostResolvers(context: EngineContext, hostConfig: HostConfig): string {
  const { servers = [], search = [], options = [] } = dnsSettings(hostConfig);
  const kept = context.network
    .hostResolvConf()
    .split("\n")
    .filter((line) => {
      const [keyword] = line.split(/\s/);
      if (keyword === "nameserver") return servers.length === 0;
      if (keyword === "search" || keyword === "domain") return search.length === 0;
      return keyword !== "options" || options.length === 0;
    });
  const given = [
    ...servers.map((server) => `nameserver ${server}\n`),
    ...(search.length === 0 ? [] : [`search ${search.join(" ")}\n`]),
    ...(options.length === 0 ? [] : [`options ${options.join(" ")}\n`]),
  ];
  return kept.join("\n") + given.join("");
}

/** The container's own /etc/hosts and the like, unless the user has brought theirs. */
function withFiles(network: JoinedNetwork, asked: readonly OciMount[]): readonly OciMount[] {
  const taken = new Set(asked.map(({ destination }) => destination));
  return [...fileMounts(network).filter(({ destination }) => !taken.has(destination)), ...asked];
}

function fileMounts({ files }: JoinedNetwork): readonly OciMount[] {
  const bind = (source: string, destination: string): OciMount => ({
    destination,
    type: "bind",
    source,
    options: ["rbind", "rprivate"],
  });
  return [
    bind(files.resolvConf, "/etc/resolv.conf"),
    bind(files.hostname, "/etc/hostname"),
    bind(files.hosts, "/etc/hosts"),
  ];
}

function ociMount(
  context: EngineContext,
  { point, source, isFile }: PreparedMount,
  runtime: string | undefined,
): OciMount {
  const { destination } = point;
  if (point.type === "tmpfs") {
    return { destination, type: "tmpfs", source: "tmpfs", options: [...(point.options ?? [])] };
  }
  const options = [
    point.nonRecursive === true ? "bind" : "rbind",
    // What has mapped owners is as it may be: in a user namespace a runtime cannot change mounts of some file systems.
    point.readWrite || point.idMapped === true
      ? "rw"
      : !isFile && isRecursivelyReadOnly(context, point, runtime ?? "")
        ? "rro"
        : "ro",
    point.propagation || "rprivate",
  ];
  return { destination, type: "bind", source, options };
}

const TMPFS_DEFAULTS = ["noexec", "nosuid", "nodev"];

function tmpfsMounts({ tmpfs = {} }: HostConfig): readonly OciMount[] {
  return Object.entries(tmpfs).map(([destination, typed]) => {
    const own = typed === "" ? [] : typed.split(",");
    const defaults = TMPFS_DEFAULTS.filter((option) => !own.includes(option.slice(2)));
    return { destination, type: "tmpfs", source: "tmpfs", options: [...new Set([...defaults, ...own])] };
  });
}

function withoutNetwork(all: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const network = networkSysctls(all);
  return Object.fromEntries(Object.entries(all).filter(([key]) => !(key in network)));
}

function containerNamespaces(
  context: EngineContext,
  hostConfig: HostConfig,
  network: JoinedNetwork,
): NonNullable<SpecRequest["namespaces"]> {
  const choice = (mode: string | undefined, type: "pid" | "ipc"): NamespaceChoice => {
    if (mode === "host") return "host";
    if (mode?.startsWith("container:") !== true) return "private";
    return { path: `/proc/${runningPid(context, mode.slice("container:".length), type)}/ns/${type}` };
  };
  return {
    network: network.namespace === undefined ? "host" : { path: network.namespace },
    pid: hostConfig.pidMode === "pod" ? podProcesses(context, hostConfig) : choice(hostConfig.pidMode, "pid"),
    ipc: hostConfig.pod === undefined ? choice(hostConfig.ipcMode, "ipc") : podIpc(context, hostConfig.pod),
    uts: hostConfig.utsMode === "host" ? "host" : "private",
    ...(hostConfig.cgroupnsMode === undefined ? {} : { cgroup: hostConfig.cgroupnsMode }),
    ...ociUserNamespace(remapOf(context, hostConfig), network.ownedBy),
  };
}

/** @throws FailedPrecondition when the namespace has ended, or there never was one */
function podProcesses(context: EngineContext, { pod = "" }: HostConfig): NamespaceChoice {
  const record = context.pods.resolve(pod);
  if (record.request.pid === "pod" && isPodHeld(context, record)) return { path: podProcessesPath(context, pod) };
  throw new FailedPrecondition(`pod ${pod} has no process namespace that its containers share`, {
    subject: { kind: "pod", name: pod },
    remedy: "make the pod anew",
  });
}

function podIpc(context: EngineContext, pod: string): NamespaceChoice {
  return context.pods.resolve(pod).request.ipc === "host" ? "host" : { path: podIpcPath(context, pod) };
}

/** The user namespace of containers, as the runtime is told of it. @param owner of the network namespace that is joined */
export function ociUserNamespace(
  remap: Remap | undefined,
  owner: string | undefined,
): Pick<NonNullable<SpecRequest["namespaces"]>, "user"> {
  if (remap === undefined) return {};
  const { maps, path } = remap;
  return { user: { uids: ociMap(maps.uids), gids: ociMap(maps.gids), path, ownsNetwork: owner === path } };
}

function ociMap(ranges: readonly IdRange[]): readonly OciIdMapping[] {
  return ranges.map(({ inside, outside, count }) => ({ containerID: inside, hostID: outside, size: count }));
}

function runningPid(context: EngineContext, ref: string, type: string): number {
  const { id, name } = context.containers.resolve(ref);
  const { state, hostConfig } = currentRecord(context, id);
  if (!isAlive(state)) {
    throw new Conflict(`cannot join ${type.toUpperCase()} of a non running container: ${id}`, {
      subject: { kind: "container", name },
    });
  }
  if (type === "ipc" && hostConfig.ipcMode !== "shareable" && hostConfig.ipcMode !== "host") {
    throw new FailedPrecondition(`cannot join IPC of container ${name}: its IPC mode is not shareable`, {
      subject: { kind: "container", name },
      remedy: "start it with --ipc shareable",
    });
  }
  return state.pid;
}

function sharedMemory(
  context: EngineContext,
  { id, hostConfig }: ContainerRecord,
): Pick<SpecRequest, "shm" | "shmSize"> {
  if (hostConfig.pod !== undefined) {
    const { request } = context.pods.resolve(hostConfig.pod);
    return { shm: request.ipc === "host" ? "host" : { path: podSharedMemoryPath(context, hostConfig.pod) } };
  }
  const mode = hostConfig.ipcMode ?? "private";
  if (mode === "none") return { shm: "none" };
  if (mode === "host") return { shm: "host" };
  if (mode === "shareable") return { shm: { path: sharedMemoryPath(context, id) } };
  if (mode.startsWith("container:")) {
    const ref = mode.slice("container:".length);
    runningPid(context, ref, "ipc");
    const other = context.containers.resolve(ref);
    return { shm: other.hostConfig.ipcMode === "host" ? "host" : { path: sharedMemoryPath(context, other.id) } };
  }
  return hostConfig.shmSize === undefined || hostConfig.shmSize === 0 ? {} : { shmSize: hostConfig.shmSize };
}
