import type { Context } from "../context.ts";
import { Failure } from "../failure.ts";
import { describeEndpoint } from "../instance.ts";
import { isMacAddress } from "./checks.ts";
import type { ContainerFlags } from "./container-flags.ts";
import { type DeviceMapping, isQualifiedDevice, parseDevice } from "./devices.ts";
import { collectPairs, pairsToObject, proxyVariables } from "./environment.ts";
import { buildNetworks, type EndpointSettings } from "./network.ts";
import { buildPorts } from "./ports.ts";
import { buildSecurity } from "./security.ts";
import { buildTmpfs, buildVolumes } from "./volumes.ts";

/** What the command line says about a container. */
export interface ContainerRequest {
  readonly flags: ContainerFlags;
  readonly changed: ReadonlySet<string>;
  readonly image: string;
  readonly args: readonly string[];
}

/** A container's configuration as the engine's `create` takes it, with what the client itself needs to know. */
export interface ContainerBody {
  Image: string;
  readonly Tty: boolean;
  readonly OpenStdin: boolean;
  StdinOnce: boolean;
  AttachStdin: boolean;
  AttachStdout: boolean;
  AttachStderr: boolean;
  readonly HostConfig: {
    readonly AutoRemove: boolean;
    readonly Dns: readonly string[];
    readonly [key: string]: unknown;
  };
  readonly NetworkingConfig: { readonly EndpointsConfig: Readonly<Record<string, EndpointSettings>> };
  readonly [key: string]: unknown;
}

/** @throws Failure naming the flag or value that is wrong */
export async function buildContainer(context: Context, request: ContainerRequest): Promise<ContainerBody> {
  const { flags, changed, image, args } = request;
  checkCombinations(flags);
  const volumes = buildVolumes(flags.volume, process.cwd());
  const ports = buildPorts(flags.publish, flags.expose);
  const { mode, endpoints } = networksOf(flags);
  const labels = await collectPairs(flags["label-file"], flags.label);
  const attach = attachments(flags);
  return {
    Hostname: flags.hostname,
    Domainname: flags.domainname,
    User: flags.user,
    ...attach,
    Tty: flags.tty,
    OpenStdin: flags.interactive,
    StdinOnce: flags.interactive && attach.AttachStdin,
    Env: await environmentOf(context, flags),
    Cmd: args.length > 0 ? args : null,
    Image: image,
    Volumes: volumes.anonymous,
    WorkingDir: flags.workdir,
    // `--entrypoint=` takes the image's entrypoint away.
    Entrypoint: flags.entrypoint !== "" ? [flags.entrypoint] : changed.has("entrypoint") ? [""] : null,
    ExposedPorts: ports.exposed,
    Labels: pairsToObject(labels),
    ...(flags["stop-signal"] !== "" && { StopSignal: flags["stop-signal"] }),
    ...(changed.has("stop-timeout") && { StopTimeout: flags["stop-timeout"] }),
    ...healthcheck(flags),
    HostConfig: await hostConfig(request, { binds: volumes.binds, bindings: ports.bindings, mode }),
    NetworkingConfig: { EndpointsConfig: endpoints },
  };
}

function checkCombinations(flags: ContainerFlags): void {
  const swappiness = flags["memory-swappiness"];
  if (swappiness !== -1 && (swappiness < 0 || swappiness > 100)) {
    throw new Failure(`invalid value: ${swappiness}. Valid memory swappiness range is 0-100`);
  }
  if (flags["mac-address"] !== "" && !isMacAddress(flags["mac-address"])) {
    throw new Failure(`${flags["mac-address"]} is not a valid mac address`);
  }
  const joins = (value: string): boolean => /^container:.+$/.test(value);
  const mode = (flag: string, value: string, allowed: readonly string[], problem: string): void => {
    if (value !== "" && !allowed.includes(value) && !(flag === "pid" && joins(value))) {
      throw new Failure(`--${flag}: invalid ${problem} mode`);
    }
  };
  mode("pid", flags.pid, ["host"], "PID");
  mode("uts", flags.uts, ["host"], "UTS");
  mode("userns", flags.userns, ["host"], "USER");
  mode("cgroupns", flags.cgroupns, ["host", "private"], "CGROUP");
}

function attachments(flags: ContainerFlags) {
  const streams = new Set(flags.attach);
  const all = streams.size === 0;
  return {
    AttachStdin: streams.has("stdin") || flags.interactive,
    AttachStdout: all || streams.has("stdout"),
    AttachStderr: all || streams.has("stderr"),
  };
}

function networksOf(flags: ContainerFlags) {
  return buildNetworks([...flags.network, ...flags.net], {
    aliases: [...flags["network-alias"], ...flags["net-alias"]],
    links: flags.link,
    linkLocal: flags["link-local-ip"],
    ip: flags.ip,
    ip6: flags.ip6,
    mac: flags["mac-address"],
  });
}

async function environmentOf(context: Context, flags: ContainerFlags): Promise<readonly string[]> {
  const { proxies } = (await context.config()).content;
  const settings = proxies?.[describeEndpoint(context.endpoint)] ?? proxies?.["default"];
  const given = [...flags.env, ...proxyVariables(settings, flags.env)];
  return collectPairs(flags["env-file"], given, (name) => context.env[name]);
}

function healthcheck(flags: ContainerFlags): { readonly Healthcheck?: object } {
  const numbers = {
    Interval: flags["health-interval"],
    Timeout: flags["health-timeout"],
    StartPeriod: flags["health-start-period"],
    StartInterval: flags["health-start-interval"],
    Retries: flags["health-retries"],
  };
  const command = flags["health-cmd"];
  const given = command !== "" || Object.values(numbers).some((value) => value !== 0);
  if (flags["no-healthcheck"]) {
    if (given) throw new Failure("--no-healthcheck conflicts with --health-* options");
    return { Healthcheck: { Test: ["NONE"] } };
  }
  if (!given) return {};
  const names = { Interval: "interval", Timeout: "timeout", Retries: "retries" } as const;
  const rest = { StartPeriod: "start-period", StartInterval: "start-interval" } as const;
  for (const [key, name] of Object.entries({ ...names, ...rest })) {
    if (numbers[key as keyof typeof numbers] < 0) throw new Failure(`--health-${name} cannot be negative`);
  }
  return { Healthcheck: { ...(command !== "" && { Test: ["CMD-SHELL", command] }), ...numbers } };
}

/** `no`, `always`, `unless-stopped`, `on-failure[:N]`. */
export function parseRestartPolicy(text: string): { readonly Name: string; readonly MaximumRetryCount: number } {
  const at = text.indexOf(":");
  const name = at < 0 ? text : text.slice(0, at);
  const count = at < 0 ? "" : text.slice(at + 1);
  if (at === 0) throw new Failure("invalid restart policy format: no policy provided before colon");
  if (count !== "" && !/^[+-]?\d+$/.test(count)) {
    throw new Failure("invalid restart policy format: maximum retry count must be an integer");
  }
  return { Name: name, MaximumRetryCount: Number(count || 0) };
}

/** Capabilities under their full names, each once; `ALL` is one, and comes first. */
function capabilities(names: readonly string[]): readonly string[] {
  const full = names.map((name) => {
    const upper = name.trim().toUpperCase();
    return upper === "ALL" || upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
  });
  const all = full.includes("ALL") ? ["ALL"] : [];
  return [...all, ...new Set(full.filter((name) => name !== "ALL"))].toSorted();
}

function storageOptions(options: readonly string[]): Readonly<Record<string, string>> {
  const bad = options.find((option) => !option.includes("="));
  if (bad !== undefined) throw new Failure(`invalid storage option: ${JSON.stringify(bad)} is not KEY=VALUE`);
  return pairsToObject(options);
}

function devicesOf(flags: ContainerFlags): {
  readonly Devices: readonly DeviceMapping[];
  readonly DeviceRequests?: object;
} {
  const qualified = flags.device.filter(isQualifiedDevice);
  const requests = [...flags.gpus, ...(qualified.length > 0 ? [{ Driver: "cdi", DeviceIDs: qualified }] : [])];
  return {
    Devices: flags.device.filter((device) => !isQualifiedDevice(device)).map(parseDevice),
    ...(requests.length > 0 && { DeviceRequests: requests }),
  };
}

function resources(flags: ContainerFlags) {
  return {
    CgroupParent: flags["cgroup-parent"],
    Memory: flags.memory,
    MemoryReservation: flags["memory-reservation"],
    MemorySwap: flags["memory-swap"],
    MemorySwappiness: flags["memory-swappiness"],
    OomKillDisable: flags["oom-kill-disable"],
    NanoCpus: flags.cpus,
    CpuShares: flags["cpu-shares"],
    CpuPeriod: flags["cpu-period"],
    CpuQuota: flags["cpu-quota"],
    CpuRealtimePeriod: flags["cpu-rt-period"],
    CpuRealtimeRuntime: flags["cpu-rt-runtime"],
    CpusetCpus: flags["cpuset-cpus"],
    CpusetMems: flags["cpuset-mems"],
    PidsLimit: flags["pids-limit"],
    BlkioWeight: flags["blkio-weight"],
    BlkioWeightDevice: flags["blkio-weight-device"],
    BlkioDeviceReadBps: flags["device-read-bps"],
    BlkioDeviceWriteBps: flags["device-write-bps"],
    BlkioDeviceReadIOps: flags["device-read-iops"],
    BlkioDeviceWriteIOps: flags["device-write-iops"],
    Ulimits: flags.ulimit.toSorted((a, b) => (a.Name < b.Name ? -1 : 1)),
    DeviceCgroupRules: flags["device-cgroup-rule"],
    ...devicesOf(flags),
  };
}

interface Prepared {
  readonly binds: readonly string[];
  readonly bindings: object;
  readonly mode: string;
}

async function hostConfig({ flags, changed }: ContainerRequest, { binds, bindings, mode }: Prepared) {
  const policy = parseRestartPolicy(flags.restart);
  if (flags.rm && policy.Name !== "" && policy.Name !== "no") {
    throw new Failure("conflicting options: cannot specify both --restart and --rm");
  }
  if (flags["log-driver"] === "none" && flags["log-opt"].length > 0) {
    throw new Failure("invalid logging opts for driver none");
  }
  const security = await buildSecurity(flags["security-opt"]);
  return {
    Binds: binds,
    ContainerIDFile: flags.cidfile,
    LogConfig: { Type: flags["log-driver"], Config: pairsToObject(flags["log-opt"]) },
    NetworkMode: mode,
    PortBindings: bindings,
    RestartPolicy: policy,
    AutoRemove: flags.rm,
    VolumeDriver: flags["volume-driver"],
    VolumesFrom: flags["volumes-from"],
    CapAdd: capabilities(flags["cap-add"]),
    CapDrop: capabilities(flags["cap-drop"]),
    CgroupnsMode: flags.cgroupns,
    Dns: flags.dns,
    DnsOptions: [...flags["dns-option"], ...flags["dns-opt"]],
    DnsSearch: flags["dns-search"],
    ExtraHosts: flags["add-host"],
    GroupAdd: flags["group-add"],
    IpcMode: flags.ipc,
    Links: flags.link,
    OomScoreAdj: flags["oom-score-adj"],
    PidMode: flags.pid,
    Privileged: flags.privileged,
    PublishAllPorts: flags["publish-all"],
    ReadonlyRootfs: flags["read-only"],
    SecurityOpt: security.options,
    StorageOpt: storageOptions(flags["storage-opt"]),
    Tmpfs: buildTmpfs(flags.tmpfs),
    UTSMode: flags.uts,
    UsernsMode: flags.userns,
    ShmSize: flags["shm-size"],
    Sysctls: flags.sysctl,
    Runtime: flags.runtime,
    Annotations: flags.annotation,
    ...(flags.mount.length > 0 && { Mounts: flags.mount }),
    ...(changed.has("init") && { Init: flags.init }),
    // Empty lists, not missing ones: a missing list means the defaults.
    ...(security.unconfinedPaths && { MaskedPaths: [], ReadonlyPaths: [] }),
    ...resources(flags),
  };
}
