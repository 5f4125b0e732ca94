import { posix } from "node:path";
import { type HostConfig, type MountSpec, parseBind, type Resources } from "@boxship/engine";
import { DEFAULT_CAPABILITIES } from "@boxship/runtime";
import { denied } from "./denied.ts";
import type { Role } from "./role.ts";

/** What a container's options refer to; each must be as confined as the container itself. */
export interface References {
  readonly containers: readonly string[];
  readonly volumes: readonly string[];
  readonly networks: readonly string[];
  readonly images: readonly string[];
}

type Rule<T> = (value: T, role: Role) => void;
type Rules<T> = { readonly [K in keyof T]?: Rule<NonNullable<T[K]>> };

const free = (): void => {};
const never =
  (what: string): Rule<unknown> =>
  (value, role) => {
    const harmless =
      value === false || value === "" || value === 0 || (Array.isArray(value) && value.length === 0) || isEmpty(value);
    if (!harmless) throw denied(role, what);
  };

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length === 0;
}

const oneOf =
  (flag: string, allowed: readonly string[]): Rule<string> =>
  (value, role) => {
    if (!allowed.includes(value)) throw denied(role, `${flag} ${value}`);
  };

const joinable =
  (flag: string, allowed: readonly string[]): Rule<string> =>
  (value, role) => {
    if (!value.startsWith("container:")) oneOf(flag, allowed)(value, role);
  };

const RESOURCES: Rules<Resources> = {
  cpuShares: free,
  nanoCpus: free,
  cpuPeriod: free,
  cpuQuota: free,
  cpusetCpus: free,
  cpusetMems: free,
  memory: free,
  memoryReservation: free,
  memorySwap: free,
  memorySwappiness: free,
  pidsLimit: free,
  blkioWeight: free,
  oomKillDisable: never("--oom-kill-disable"),
};

const capabilities: Rule<readonly string[]> = (names, role) => {
  for (const name of names) {
    const upper = name.toUpperCase();
    const full = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
    if (!DEFAULT_CAPABILITIES.includes(full)) throw denied(role, `the capability ${name}`);
  }
};

const HARMLESS_SECURITY = new Set(["no-new-privileges", "no-new-privileges=true", "no-new-privileges:true"]);

const securityOptions: Rule<readonly string[]> = (options, role) => {
  for (const option of options) {
    if (!HARMLESS_SECURITY.has(option)) throw denied(role, `the security option ${option.split(/[=:]/, 1)[0]}`);
  }
};

function checkHostPath(path: string, propagation: string, role: Role): void {
  const clean = posix.normalize(path).replace(/(.)\/$/, "$1");
  if (role.mounts?.includes(clean) !== true) {
    const allowed = role.mounts ?? [];
    throw denied(
      role,
      `mounting ${path} of the host`,
      allowed.length === 0 ? "use a volume" : `use a volume, or one of: ${allowed.join(", ")}`,
    );
  }
  if (!["", "private", "rprivate"].includes(propagation)) throw denied(role, `the mount propagation ${propagation}`);
}

const checkBinds: Rule<readonly string[]> = (binds, role) => {
  for (const bind of binds) {
    const { source, propagation } = parseBind(bind);
    if (source?.startsWith("/") === true) checkHostPath(source, propagation, role);
  }
};

const checkMounts: Rule<readonly MountSpec[]> = (mounts, role) => {
  for (const mount of mounts) checkMount(mount, role);
};

function checkMount({ type, source = "", bindOptions, volumeOptions, imageOptions }: MountSpec, role: Role): void {
  // What is inside is in the hands of those who fill it, links included.
  if ((volumeOptions?.subpath ?? imageOptions?.subpath ?? "") !== "") throw denied(role, "subpaths of mounts");
  switch (type) {
    case "bind":
      checkHostPath(source, bindOptions?.propagation ?? "", role);
      return;
    case "volume":
      if (source.includes("/")) throw denied(role, `the volume ${source}`);
      if (!["", "local"].includes(volumeOptions?.driver ?? "")) throw denied(role, "volume drivers");
      if (Object.keys(volumeOptions?.driverOptions ?? {}).length > 0) throw denied(role, "options of volume drivers");
      return;
    case "tmpfs":
    case "image":
      return;
    default:
      throw denied(role, `mounts of type ${type}`);
  }
}

/** Every option that is allowed, with its condition. One that is not here is refused, whatever it says. */
const HOST_CONFIG: Rules<HostConfig> = {
  resources: (value, role) => check(value, RESOURCES, role),
  ulimits: free,
  init: free,
  binds: checkBinds,
  mounts: checkMounts,
  tmpfs: free,
  volumesFrom: free,
  volumeDriver: oneOf("--volume-driver", ["", "local"]),
  containerIdFile: free,
  logConfig: ({ type }, role) => oneOf("the log driver", ["", "json-file", "local", "none"])(type, role),
  networkMode: (value, role) => {
    if (value === "host") throw denied(role, "--network host");
  },
  portBindings: free,
  publishAllPorts: free,
  restartPolicy: free,
  autoRemove: free,
  annotations: never("annotations"),
  capAdd: capabilities,
  capDrop: free,
  cgroupnsMode: oneOf("--cgroupns", ["private"]),
  dns: free,
  dnsOptions: free,
  dnsSearch: free,
  extraHosts: free,
  groupAdd: free,
  ipcMode: joinable("--ipc", ["", "none", "private", "shareable"]),
  pidMode: joinable("--pid", ["", "private"]),
  utsMode: oneOf("--uts", ["", "private"]),
  usernsMode: oneOf("--userns", ["", "private"]),
  links: free,
  oomScoreAdj: (value, role) => {
    if (value < 0) throw denied(role, "a negative --oom-score-adj");
  },
  privileged: never("--privileged"),
  readonlyRootfs: free,
  securityOpt: securityOptions,
  storageOpt: ({ size, ...others }, role) => never("--storage-opt")(size === undefined ? others : {}, role),
  shmSize: free,
  sysctls: free,
  runtime: oneOf("--runtime", ["", "runc", "crun"]),
  consoleSize: free,
  cgroupParent: never("--cgroup-parent"),
  devices: never("devices"),
  deviceCgroupRules: never("device rules"),
};

function check<T extends object>(value: T, rules: Rules<T>, role: Role): void {
  for (const key of Object.keys(value) as (keyof T & string)[]) {
    const entry = value[key];
    if (entry === undefined || entry === null) continue;
    const rule = Object.hasOwn(rules, key) ? rules[key] : undefined;
    if (rule === undefined) throw denied(role, `the option ${key}`);
    rule(entry, role);
  }
}

/** @throws PermissionDenied naming the first option that leads out of the container */
export function checkHostConfig(hostConfig: HostConfig, role: Role): void {
  check(hostConfig, HOST_CONFIG, role);
}

/** @throws PermissionDenied */
export function checkResources(resources: Resources, role: Role): void {
  check(resources, RESOURCES, role);
}

const CONTAINER = "container:";

/** The objects that the options name. */
export function referencesOf(hostConfig: HostConfig): References {
  const { networkMode = "", ipcMode = "", pidMode = "", volumesFrom = [], links = [] } = hostConfig;
  const joined = [networkMode, ipcMode, pidMode].filter((mode) => mode.startsWith(CONTAINER));
  const binds = (hostConfig.binds ?? []).map((bind) => parseBind(bind).source ?? "");
  const mounted = (hostConfig.mounts ?? []).map((mount) => (mount.type === "volume" ? (mount.source ?? "") : ""));
  const network = ["", "default", "bridge", "none"].includes(networkMode) || networkMode.startsWith(CONTAINER);
  return {
    containers: [
      ...joined.map((mode) => mode.slice(CONTAINER.length)),
      ...volumesFrom.map((spec) => spec.split(":", 1)[0] ?? ""),
      ...links.map((link) => (link.split(":", 1)[0] ?? "").replace(/^\//, "")),
    ],
    volumes: [...binds, ...mounted].filter((source) => source !== "" && !source.startsWith("/")),
    networks: network ? [] : [networkMode],
    images: (hostConfig.mounts ?? []).flatMap((mount) => (mount.type === "image" ? [mount.source ?? ""] : [])),
  };
}
