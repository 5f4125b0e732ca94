import { existsSync } from "node:fs";
import { InvalidArgument, Unsupported } from "@boxship/base";
import { type CheckedRequest, checkRequest, parseSeccompProfile, resolveResources } from "@boxship/runtime";
import { parseLimit } from "@boxship/storage";
import type { EngineContext } from "../context.ts";
import { planLog } from "../log/log-plan.ts";
import { checkRemapped } from "../remap/remap.ts";
import { checkConfig, checkNames } from "./check-config.ts";
import type { ContainerConfig, CreateContainerRequest, HostConfig, Resources } from "./config.ts";
import { wantedPorts } from "./port-bindings.ts";
import { resourceRequest } from "./resource-request.ts";
import { checkRestartPolicy, NO_RESTART } from "./restart-policy.ts";
import { parseSecurityOptions } from "./security-options.ts";
import { rightsOf } from "./start-spec.ts";

function refuse(flag: string, why: string): never {
  throw new Unsupported(`${flag} is not supported: ${why}`, { subject: { kind: "option", name: flag } });
}

/**
 * Refuses what can never work, before anything is made.
 *
 * @returns what will be adapted, as sentences for the user
 * @throws InvalidArgument, Unsupported naming the option
 */
export function checkHostConfig(request: CreateContainerRequest, context: EngineContext): readonly string[] {
  const { hostConfig, config } = request;
  checkRestartPolicy(hostConfig.restartPolicy ?? NO_RESTART, hostConfig.autoRemove === true);
  wantedPorts(hostConfig, config.exposedPorts ?? []);
  planLog(hostConfig.logConfig, context.options.log);
  checkNamespaceModes(hostConfig, config);
  checkCgroupParent(hostConfig.cgroupParent);
  checkConfig(config);
  checkNames(hostConfig);
  storageLimit(hostConfig, context);
  checkRemapped(context, hostConfig);
  if (hostConfig.volumeDriver !== undefined && !["", "local"].includes(hostConfig.volumeDriver)) {
    refuse("--volume-driver", `there is no volume driver "${hostConfig.volumeDriver}"; local is the one`);
  }
  if (hostConfig.runtime !== undefined && hostConfig.runtime !== "") checkRuntime(hostConfig.runtime, context);
  checkNetworkParameters(hostConfig);
  return checkRights(context, hostConfig);
}

/** The limit of the writable layer in bytes. @throws InvalidArgument, Unsupported */
export function storageLimit({ storageOpt = {} }: HostConfig, { runtime }: EngineContext): number | undefined {
  let limit: number | undefined;
  for (const [key, value] of Object.entries(storageOpt)) {
    if (key.toLowerCase() !== "size") {
      throw new InvalidArgument(`unknown option ${key}`, { subject: { kind: "option", name: "--storage-opt" } });
    }
    limit = parseLimit(value);
  }
  if (limit !== undefined && runtime.host.userNamespace) {
    refuse("--storage-opt", "writable layers with a limit need loop devices, which only root's engine has");
  }
  return limit;
}

/** Rights and limits as the runtime will see them. @returns what will be adapted */
function checkRights(context: EngineContext, hostConfig: HostConfig): readonly string[] {
  const { host } = context.runtime;
  const { seccomp } = parseSecurityOptions(hostConfig.securityOpt ?? []);
  if (seccomp !== undefined && seccomp !== "unconfined" && seccomp !== "builtin") parseSeccompProfile(seccomp);
  const { ipcMode, utsMode, shmSize, networkMode } = hostConfig;
  const { resources = {}, ...rest } = hostConfig;
  const request: CheckedRequest = {
    ...rightsOf(hostConfig),
    resources: resourceRequest({}, rest),
    sysctls: hostConfig.sysctls ?? {},
    namespaces: {
      ...(networkMode === "host" ? { network: "host" } : {}),
      ...(ipcMode === "host" ? { ipc: "host" } : {}),
      ...(utsMode === "host" ? { uts: "host" } : {}),
    },
    ...(shmSize === undefined ? {} : { shmSize }),
  };
  return [...checkRequest(request, host), ...checkResources(context, resources)];
}

/** Interfaces have parameters of their own, which are not there before the interface. */
const PER_INTERFACE = /^net\.ipv[46]\.(?:conf|neigh)\./;

/** Refuses parameters of the network that this kernel does not have. */
function checkNetworkParameters({ sysctls = {} }: HostConfig): void {
  for (const name of Object.keys(sysctls)) {
    const dotted = name.replaceAll("/", ".");
    if (!dotted.startsWith("net.") || PER_INTERFACE.test(dotted)) continue;
    if (!dotted.includes("..") && existsSync(`/proc/sys/${dotted.replaceAll(".", "/")}`)) continue;
    throw new InvalidArgument(`sysctl "${name}" is not known to this kernel`, {
      subject: { kind: "option", name: "--sysctl" },
    });
  }
}

function checkRuntime(name: string, context: EngineContext): void {
  const { runtimes } = context.runtime.info;
  const runtime = runtimes.find((candidate) => candidate.name === name);
  if (runtime === undefined) {
    throw new InvalidArgument(`unknown or invalid runtime name: ${name}`, {
      subject: { kind: "runtime", name },
      remedy: `known are: ${runtimes.map((known) => known.name).join(", ")}`,
    });
  }
  if (!runtime.usable) {
    throw new InvalidArgument(`runtime ${name} does not work on this host: ${runtime.reason ?? "unknown reason"}`, {
      subject: { kind: "runtime", name },
    });
  }
}

/** Refuses a parent that leads out of the tree: what was made for a container there could not be removed again. */
export function checkCgroupParent(parent = ""): void {
  if (!parent.split("/").includes("..") && !parent.includes("\0")) return;
  throw new InvalidArgument(`invalid cgroup parent ${JSON.stringify(parent)}: it leads out of the cgroup tree`, {
    subject: { kind: "option", name: "--cgroup-parent" },
    remedy: "write it like /group or group/sub",
  });
}

/** Refuses modes that do not exist, and a hostname for the host. */
export function checkNamespaceModes(hostConfig: HostConfig, config: Pick<ContainerConfig, "hostname">): void {
  const check = (flag: string, mode: string | undefined, allowed: RegExp) => {
    if (mode === undefined || mode === "" || allowed.test(mode)) return;
    throw new InvalidArgument(`invalid ${flag} mode: ${mode}`, { subject: { kind: "option", name: `--${flag}` } });
  };
  check("ipc", hostConfig.ipcMode, /^(none|private|shareable|host|container:.+)$/);
  check("pid", hostConfig.pidMode, hostConfig.pod === undefined ? /^(host|private|container:.+)$/ : /./);
  check("uts", hostConfig.utsMode, /^(host|private)$/);
  check("userns", hostConfig.usernsMode, /^host$/);
  if (hostConfig.utsMode === "host" && config.hostname !== undefined && config.hostname !== "") {
    throw new InvalidArgument("conflicting options: hostname and the UTS mode", {
      subject: { kind: "option", name: "--hostname" },
    });
  }
}

/**
 * Refuses limits that contradict themselves.
 *
 * @returns what the host cannot honour, and what is dangerous, as sentences for the user
 */
export function checkResources(context: EngineContext, resources: Resources): readonly string[] {
  const { warnings } = resolveResources(resourceRequest(resources), context.runtime.host);
  if (resources.oomKillDisable !== true || (resources.memory ?? 0) > 0) return warnings;
  return [
    ...warnings,
    "OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.",
  ];
}
