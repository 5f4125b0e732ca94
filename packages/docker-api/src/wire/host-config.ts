import { InvalidArgument } from "@boxship/base";
import type { DeviceMapping, DeviceRequest, HostConfig, Resources, Ulimit } from "@boxship/engine";
import {
  boolean,
  type Codec,
  field,
  integer,
  list,
  map,
  object,
  type RefusedField,
  split,
  string,
  strings,
} from "./codec.ts";
import { consoleSize, isKnownSize } from "./exec-config.ts";
import { mount } from "./mount.ts";
import { portMap } from "./port-map.ts";
import { resources } from "./resources.ts";
import { restartPolicy } from "./restart-policy.ts";

const device = object<DeviceMapping>("DeviceMapping", {
  pathOnHost: field("PathOnHost", string, { absent: "", zero: "" }),
  pathInContainer: field("PathInContainer", string, { absent: "", zero: "" }),
  cgroupPermissions: field("CgroupPermissions", string, { absent: "", zero: "" }),
});

const deviceRequest = object<DeviceRequest>("DeviceRequest", {
  driver: field("Driver", string, { zero: "" }),
  count: field("Count", integer("int"), { zero: 0 }),
  deviceIds: field("DeviceIDs", strings, { zero: null }),
  capabilities: field("Capabilities", list(strings), { zero: null }),
  options: field("Options", map(string), { zero: null }),
});

const ulimit = object<Ulimit>("Ulimit", {
  name: field("Name", string, { absent: "" }),
  hard: field("Hard", integer(), { absent: 0, keepZero: true }),
  soft: field("Soft", integer(), { absent: 0, keepZero: true }),
});

const logConfig = object<NonNullable<HostConfig["logConfig"]>>("LogConfig", {
  type: field("Type", string, { absent: "" }),
  config: field("Config", map(string), { absent: {}, zero: {} }),
});

const cgroupnsMode: Codec<"private" | "host"> = {
  type: "CgroupnsMode",
  decode(value, at, context) {
    const mode = string.decode(value, at, context);
    if (mode === "private" || mode === "host") return mode;
    throw new InvalidArgument(`invalid cgroup namespace mode: ${mode}`);
  },
  encode: (value) => value,
};

const REFUSED: readonly RefusedField[] = [
  { wire: "Cgroup", reason: "a container cannot join another's cgroup; use CgroupParent" },
  { wire: "Isolation", reason: "it exists on Windows only", harmless: ["default"] },
  { wire: "Capabilities", reason: "use CapAdd and CapDrop" },
];

/** Pods are for other doors. */
type OwnFields = Omit<HostConfig, "imageGroups" | "logPath" | "pod" | "resources">;

const own = object<OwnFields>(
  "HostConfig",
  {
    binds: field("Binds", strings, { zero: null }),
    containerIdFile: field("ContainerIDFile", string, { zero: "" }),
    logConfig: field("LogConfig", logConfig),
    networkMode: field("NetworkMode", string, { zero: "default" }),
    portBindings: field("PortBindings", portMap, { zero: {} }),
    restartPolicy: field("RestartPolicy", restartPolicy, { zero: { Name: "no", MaximumRetryCount: 0 } }),
    autoRemove: field("AutoRemove", boolean, { zero: false }),
    volumeDriver: field("VolumeDriver", string, { zero: "" }),
    volumesFrom: field("VolumesFrom", strings, { zero: null }),
    consoleSize: field("ConsoleSize", consoleSize, { zero: [0, 0] }),
    annotations: field("Annotations", map(string), { since: 43 }),
    capAdd: field("CapAdd", strings, { zero: null }),
    capDrop: field("CapDrop", strings, { zero: null }),
    cgroupnsMode: field("CgroupnsMode", cgroupnsMode, { blank: true, since: 40 }),
    dns: field("Dns", strings, { zero: [] }),
    dnsOptions: field("DnsOptions", strings, { zero: [] }),
    dnsSearch: field("DnsSearch", strings, { zero: [] }),
    extraHosts: field("ExtraHosts", strings, { zero: null }),
    groupAdd: field("GroupAdd", strings, { zero: null }),
    ipcMode: field("IpcMode", string, { zero: "private" }),
    links: field("Links", strings, { zero: null }),
    oomScoreAdj: field("OomScoreAdj", integer("int"), { zero: 0 }),
    pidMode: field("PidMode", string, { zero: "" }),
    privileged: field("Privileged", boolean, { zero: false }),
    publishAllPorts: field("PublishAllPorts", boolean, { zero: false }),
    readonlyRootfs: field("ReadonlyRootfs", boolean, { zero: false }),
    securityOpt: field("SecurityOpt", strings, { zero: null }),
    storageOpt: field("StorageOpt", map(string)),
    tmpfs: field("Tmpfs", map(string)),
    utsMode: field("UTSMode", string, { zero: "" }),
    usernsMode: field("UsernsMode", string, { zero: "" }),
    shmSize: field("ShmSize", integer(), { zero: 64 << 20 }),
    sysctls: field("Sysctls", map(string)),
    runtime: field("Runtime", string),
    cgroupParent: field("CgroupParent", string, { zero: "" }),
    devices: field("Devices", list(device), { zero: [] }),
    deviceCgroupRules: field("DeviceCgroupRules", strings, { zero: null }),
    deviceRequests: field("DeviceRequests", list(deviceRequest), { zero: null }),
    ulimits: field("Ulimits", list(ulimit), { zero: [] }),
    init: field("Init", boolean),
    mounts: field("Mounts", list(mount)),
    maskedPaths: field("MaskedPaths", strings, { keepZero: true }),
    readonlyPaths: field("ReadonlyPaths", strings, { keepZero: true }),
  },
  REFUSED,
);

const both = split(own, resources);

/** Clients always send the field; its options stand for the default driver where they name none. */
function isDefaultLog({ type, config }: NonNullable<HostConfig["logConfig"]>): boolean {
  return type === "" && Object.keys(config).length === 0;
}

/** `HostConfig` as API 1.51 has it. What is absent is written as Docker fills it in. */
export const hostConfig: Codec<HostConfig> = {
  type: "HostConfig",
  decode(value, at, context) {
    const [{ consoleSize: size, logConfig: log, ...rest }, limits] = both.decode(value, at, context);
    return {
      ...rest,
      ...(isKnownSize(size) ? { consoleSize: size } : {}),
      ...(log === undefined || isDefaultLog(log) ? {} : { logConfig: { ...log, type: log.type || "json-file" } }),
      ...withLimits(limits),
    };
  },
  encode: ({ resources: limits = {}, ...rest }, version) => ({
    ...both.encode(rest, limits, version),
    Cgroup: "",
    Isolation: "",
  }),
};

/** When a container is created, a limit of no processes or fewer is no limit; an update takes one away with it. */
function withLimits({ pidsLimit, ...rest }: Resources): Pick<HostConfig, "resources"> {
  const limits = pidsLimit === undefined || pidsLimit <= 0 ? rest : { ...rest, pidsLimit };
  return Object.keys(limits).length === 0 ? {} : { resources: limits };
}

/** Fields of a body of `update` that are no limits: they cannot change once the container is made. */
export const UPDATE_REFUSED = object<object>("UpdateConfig", {}, [
  { wire: "Devices", reason: "devices cannot change after creation" },
  { wire: "DeviceCgroupRules", reason: "device rules cannot change after creation" },
  { wire: "DeviceRequests", reason: "devices cannot change after creation" },
  { wire: "Ulimits", reason: "ulimits cannot change after creation" },
  { wire: "CgroupParent", reason: "the cgroup parent cannot change after creation" },
  { wire: "Init", reason: "the init process cannot change after creation" },
]);
