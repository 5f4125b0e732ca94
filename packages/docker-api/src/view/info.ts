import type { EngineInfo } from "@boxship/engine";
import { CURRENT_VERSION_TEXT, MINIMUM_VERSION_TEXT } from "../http/version.ts";
import type { ApiServerInfo } from "../options.ts";

const GO_ARCHITECTURES: Readonly<Record<string, string>> = {
  x86_64: "amd64",
  x64: "amd64",
  aarch64: "arm64",
  armv7l: "arm",
  i686: "386",
};

const KERNEL_ARCHITECTURES: Readonly<Record<string, string>> = {
  amd64: "x86_64",
  x64: "x86_64",
  arm64: "aarch64",
  arm: "armv7l",
};

/** `GET /version`. */
export function encodeVersion(info: EngineInfo, server: ApiServerInfo): Record<string, unknown> {
  const version = server.version ?? info.version;
  const gitCommit = server.gitCommit ?? "";
  const arch = GO_ARCHITECTURES[info.architecture] ?? info.architecture;
  const buildTime = server.buildTime ?? "";
  const details = {
    ApiVersion: CURRENT_VERSION_TEXT,
    Arch: arch,
    BuildTime: buildTime,
    Experimental: "true",
    GitCommit: gitCommit,
    KernelVersion: info.kernelVersion,
    MinAPIVersion: MINIMUM_VERSION_TEXT,
    Os: "linux",
  };
  return {
    Platform: { Name: "Boxship" },
    Components: [
      { Name: "Engine", Version: version, Details: details },
      ...info.runtimes.map((runtime) => ({
        Name: runtime.name,
        Version: runtime.version,
        Details: { Path: runtime.path },
      })),
      { Name: "conmon", Version: info.monitorVersion, Details: {} },
    ],
    Version: version,
    ApiVersion: CURRENT_VERSION_TEXT,
    MinAPIVersion: MINIMUM_VERSION_TEXT,
    GitCommit: gitCommit,
    GoVersion: "",
    Os: "linux",
    Arch: arch,
    KernelVersion: info.kernelVersion,
    BuildTime: buildTime,
  };
}

export interface InfoOptions {
  readonly server: ApiServerInfo;
  readonly version: number;
  readonly now: number;
  /** Clients that listen to events. */
  readonly eventListeners: number;
}

/** `GET /info`. */
export function encodeInfo(
  info: EngineInfo,
  { server, version, now, eventListeners }: InfoOptions,
): Record<string, unknown> {
  return {
    ID: info.id,
    Containers: info.containers.total,
    ContainersRunning: info.containers.running,
    ContainersPaused: info.containers.paused,
    ContainersStopped: info.containers.stopped,
    Images: info.images,
    Driver: info.storageDriver,
    DriverStatus: info.storageStatus,
    Plugins: PLUGINS,
    ...limits(info),
    ...(version < 42 ? { KernelMemory: false, KernelMemoryTCP: false } : {}),
    IPv4Forwarding: info.ipv4Forwarding,
    ...(version < 50 ? BRIDGE_FILTER : {}),
    OomKillDisable: info.cgroups && info.cgroupVersion === 1,
    Debug: false,
    NFd: 0,
    NGoroutines: 0,
    SystemTime: new Date(now).toISOString(),
    LoggingDriver: "json-file",
    CgroupDriver: info.cgroups ? "cgroupfs" : "none",
    CgroupVersion: String(info.cgroupVersion),
    NEventsListener: eventListeners,
    KernelVersion: info.kernelVersion,
    OperatingSystem: info.operatingSystem,
    OSVersion: info.osVersion,
    OSType: "linux",
    Architecture: KERNEL_ARCHITECTURES[info.architecture] ?? info.architecture,
    IndexServerAddress: "https://index.docker.io/v1/",
    RegistryConfig: encodeRegistries(info),
    NCPU: info.cpus,
    MemTotal: info.memory,
    GenericResources: null,
    DockerRootDir: info.root,
    HttpProxy: "",
    HttpsProxy: "",
    NoProxy: "",
    Name: info.hostname,
    Labels: [],
    ExperimentalBuild: true,
    ServerVersion: server.version ?? info.version,
    Runtimes: Object.fromEntries(info.runtimes.map((runtime) => [runtime.name, { path: runtime.path }])),
    DefaultRuntime: info.defaultRuntime,
    Swarm: NO_SWARM,
    LiveRestoreEnabled: true,
    Isolation: "",
    InitBinary: "docker-init",
    ContainerdCommit: commit("", version),
    RuncCommit: commit(info.runtimes.find((runtime) => runtime.name === "runc")?.version ?? "", version),
    InitCommit: commit("", version),
    SecurityOptions: info.securityOptions,
    DefaultAddressPools: info.addressPools.map((pool) => ({ Base: pool.base, Size: pool.size })),
    ...(version >= 49 ? { FirewallBackend: { Driver: "nftables" } } : {}),
    CDISpecDirs: info.cdiDirectories,
    ...(version >= 50
      ? { DiscoveredDevices: info.discoveredDevices.map(({ source, id }) => ({ Source: source, ID: id })) }
      : {}),
    Warnings: info.warnings.length === 0 ? null : info.warnings,
  };
}

const PLUGINS = {
  Volume: ["local"],
  Network: ["bridge", "cni", "host", "ipvlan", "macvlan", "null"],
  Authorization: null,
  Log: ["fluentd", "gelf", "journald", "json-file", "local", "none", "syslog"],
};

function limits({ limits: { memory, swap, cpu, cpuset, pids } }: EngineInfo): Record<string, boolean> {
  return {
    MemoryLimit: memory,
    SwapLimit: swap,
    CpuCfsPeriod: cpu,
    CpuCfsQuota: cpu,
    CPUShares: cpu,
    CPUSet: cpuset,
    PidsLimit: pids,
  };
}

/** Older clients warn without these that published ports will not work; here they do not depend on them. */
const BRIDGE_FILTER = { BridgeNfIptables: true, BridgeNfIp6tables: true };

const NO_SWARM = {
  NodeID: "",
  NodeAddr: "",
  LocalNodeState: "inactive",
  ControlAvailable: false,
  Error: "",
  RemoteManagers: null,
};

function commit(id: string, version: number): Record<string, string> {
  return version < 49 ? { ID: id, Expected: id } : { ID: id };
}

/** Registries of the host itself may always speak plain HTTP. */
const LOOPBACK = ["127.0.0.0/8", "::1/128"];

function encodeRegistries(info: EngineInfo): Record<string, unknown> {
  const hosts = info.insecureRegistries.filter((entry) => !entry.includes("/"));
  return {
    InsecureRegistryCIDRs: [...LOOPBACK, ...info.insecureRegistries.filter((entry) => entry.includes("/"))],
    IndexConfigs: {
      "docker.io": { Name: "docker.io", Mirrors: info.mirrors, Secure: true, Official: true },
      ...Object.fromEntries(hosts.map((Name) => [Name, { Name, Mirrors: [], Secure: false, Official: false }])),
    },
    Mirrors: info.mirrors,
  };
}
