import { InvalidArgument, Unsupported } from "@boxship/base";
import { resolveResources } from "@boxship/runtime";
import type { EngineContext } from "../context.ts";
import type { ContainerConfig, CreateContainerRequest, HostConfig, Resources } from "./config.ts";
import { logLimits } from "./log-limits.ts";
import { wantedPorts } from "./port-bindings.ts";
import { resourceRequest } from "./resource-request.ts";
import { checkRestartPolicy, NO_RESTART } from "./restart-policy.ts";

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
  logLimits(hostConfig.logConfig, context.options.log);
  checkNamespaceModes(hostConfig, config);
  checkCgroupParent(hostConfig.cgroupParent);
  if (Object.keys(hostConfig.storageOpt ?? {}).length > 0) {
    refuse("--storage-opt", "writable layers have no size limit on this storage driver");
  }
  if (hostConfig.volumeDriver !== undefined && !["", "local"].includes(hostConfig.volumeDriver)) {
    refuse("--volume-driver", `there is no volume driver "${hostConfig.volumeDriver}"; local is the one`);
  }
  if (hostConfig.runtime !== undefined && hostConfig.runtime !== "") checkRuntime(hostConfig.runtime, context);
  return checkResources(context, hostConfig.resources ?? {});
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
  check("pid", hostConfig.pidMode, /^(host|private|container:.+)$/);
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
