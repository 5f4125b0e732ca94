import { existsSync, readdirSync, readFileSync } from "node:fs";
import { arch, release } from "node:os";
import { type CgroupLayout, capabilitySets, detectCgroups, idRanges, inUserNamespace } from "@boxship/kernel";
import { findInitBinary } from "./init-binary.ts";

/** A resource limit of this process; `Infinity` is unlimited. */
export interface HostRlimit {
  readonly soft: number;
  readonly hard: number;
}

/** What this host can give to a container. Read once, at start. */
export interface HostFacts {
  /** Go's name of the architecture: `amd64`, `arm64` … */
  readonly architecture: string;
  readonly kernel: { readonly major: number; readonly minor: number };
  /** The bounding set of this process. */
  readonly capabilities: ReadonlySet<string>;
  /** By OCI name, `RLIMIT_NOFILE` … */
  readonly rlimits: ReadonlyMap<string, HostRlimit>;
  /** Limits may be raised and the OOM score lowered (CAP_SYS_RESOURCE). */
  readonly mayExceedLimits: boolean;
  readonly oomScoreAdj: number;
  readonly cpus: number;
  /** Its memory nodes, a list such as `0-1`. */
  readonly memoryNodes: string;
  /** The most descriptors that the kernel lets any process have. */
  readonly maxOpenFiles: number;
  readonly cgroup: HostCgroup;
  /** The daemon is root only in a user namespace: it makes no device nodes, and no rules for devices. */
  readonly userNamespace: boolean;
  /** The highest group id that exists here. */
  readonly highestGroup: number;
  readonly apparmor: boolean;
  readonly selinux: boolean;
  /** A static init binary to run as process 1, when the host has one. */
  readonly initBinary?: string;
}

export interface HostCgroup {
  /** `none`: this process may make no groups, so containers run in its own and have no limits. */
  readonly version: CgroupLayout;
  /** Controllers that a container's limits can use. */
  readonly controllers: ReadonlySet<string>;
  readonly swap: boolean;
  readonly swappiness: boolean;
  readonly oomKillDisable: boolean;
  readonly blkioWeight: boolean;
  readonly cpuRealtime: boolean;
}

const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: "amd64",
  arm64: "arm64",
  riscv64: "riscv64",
  s390x: "s390x",
};

const LIMIT_NAMES: Readonly<Record<string, string>> = {
  "Max cpu time": "RLIMIT_CPU",
  "Max file size": "RLIMIT_FSIZE",
  "Max data size": "RLIMIT_DATA",
  "Max stack size": "RLIMIT_STACK",
  "Max core file size": "RLIMIT_CORE",
  "Max resident set": "RLIMIT_RSS",
  "Max processes": "RLIMIT_NPROC",
  "Max open files": "RLIMIT_NOFILE",
  "Max locked memory": "RLIMIT_MEMLOCK",
  "Max address space": "RLIMIT_AS",
  "Max file locks": "RLIMIT_LOCKS",
  "Max pending signals": "RLIMIT_SIGPENDING",
  "Max msgqueue size": "RLIMIT_MSGQUEUE",
  "Max nice priority": "RLIMIT_NICE",
  "Max realtime priority": "RLIMIT_RTPRIO",
  "Max realtime timeout": "RLIMIT_RTTIME",
};

/** Reads what this host offers. A handful of small files; done once when the runtime opens. */
export function readHostFacts(): HostFacts {
  const { bounding, effective } = capabilitySets();
  const initBinary = findInitBinary();
  return {
    architecture: ARCHITECTURES[arch()] ?? arch(),
    kernel: parseKernelRelease(release()),
    capabilities: bounding,
    rlimits: parseLimits(readFileSync("/proc/self/limits", "latin1")),
    // Both are asked of the machine's root, not of a user namespace's.
    mayExceedLimits: effective.has("CAP_SYS_RESOURCE") && !inUserNamespace(),
    oomScoreAdj: Number(readFileSync("/proc/self/oom_score_adj", "latin1")),
    cpus: countCpus(),
    memoryNodes: readSmall("/sys/devices/system/node/online") ?? "0",
    maxOpenFiles: Number(readSmall("/proc/sys/fs/nr_open") ?? 2 ** 20),
    cgroup: readHostCgroup(),
    userNamespace: inUserNamespace(),
    highestGroup: Math.max(0, ...idRanges("gid").map(({ inside, count }) => inside + count - 1)),
    apparmor: readSmall("/sys/module/apparmor/parameters/enabled") === "Y",
    selinux: existsSync("/sys/fs/selinux/enforce"),
    ...(initBinary === undefined ? {} : { initBinary }),
  };
}

export function parseKernelRelease(text: string): { readonly major: number; readonly minor: number } {
  const match = /^(\d+)\.(\d+)/.exec(text);
  return { major: Number(match?.[1] ?? 0), minor: Number(match?.[2] ?? 0) };
}

/** Parses `/proc/PID/limits`. */
export function parseLimits(text: string): ReadonlyMap<string, HostRlimit> {
  const limits = new Map<string, HostRlimit>();
  for (const line of text.split("\n")) {
    const match = /^(Max [a-z ]*[a-z])\s{2,}(\S+)\s+(\S+)/.exec(line);
    const name = match?.[1] === undefined ? undefined : LIMIT_NAMES[match[1]];
    if (name === undefined || match === null) continue;
    limits.set(name, { soft: limitValue(match[2]), hard: limitValue(match[3]) });
  }
  return limits;
}

function limitValue(text: string | undefined): number {
  return text === "unlimited" ? Number.POSITIVE_INFINITY : Number(text);
}

function countCpus(): number {
  const online = readSmall("/sys/devices/system/cpu/online") ?? "0";
  let count = 0;
  for (const range of online.split(",")) {
    const [first = "0", last = first] = range.split("-");
    count += Number(last) - Number(first) + 1;
  }
  return count;
}

const CGROUP_ROOT = "/sys/fs/cgroup";

const NO_CGROUPS: HostCgroup = {
  version: "none",
  controllers: new Set(),
  swap: false,
  swappiness: false,
  oomKillDisable: false,
  blkioWeight: false,
  cpuRealtime: false,
};

function readHostCgroup(): HostCgroup {
  if (detectCgroups().layout === "none") return NO_CGROUPS;
  const unified = readSmall(`${CGROUP_ROOT}/cgroup.controllers`);
  if (unified !== undefined) {
    const controllers = new Set(unified.split(" "));
    if (controllers.has("io")) controllers.add("blkio");
    // Devices are a BPF program there, the freezer is part of every group.
    for (const always of ["devices", "freezer"]) controllers.add(always);
    return {
      version: "v2",
      controllers,
      swap: controllers.has("memory") && existsSync("/proc/swaps"),
      swappiness: false,
      oomKillDisable: false,
      blkioWeight: controllers.has("io"),
      cpuRealtime: false,
    };
  }
  const controllers = new Set(readdirSync(CGROUP_ROOT).flatMap((name) => name.split(",")));
  const has = (file: string): boolean => existsSync(`${CGROUP_ROOT}/${file}`);
  const hybrid = controllers.delete("unified");
  return {
    version: hybrid ? "hybrid" : "v1",
    controllers,
    swap: has("memory/memory.memsw.limit_in_bytes"),
    swappiness: has("memory/memory.swappiness"),
    oomKillDisable: has("memory/memory.oom_control"),
    blkioWeight: has("blkio/blkio.weight") || has("blkio/blkio.bfq.weight"),
    cpuRealtime: has("cpu/cpu.rt_runtime_us"),
  };
}

function readSmall(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1").trim();
  } catch {
    return undefined;
  }
}
