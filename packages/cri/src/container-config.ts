import { posix } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { InvalidArgument, Unsupported } from "@boxship/base";
import {
  type CreateContainerRequest,
  type HostConfig,
  isIpcParameter,
  type MountSpec,
  type Resources,
} from "@boxship/engine";
import type { IdMaps } from "@boxship/kernel";
import { knownValue, userId } from "./known-value.ts";
import type {
  ContainerConfig,
  LinuxContainerResources,
  LinuxContainerSecurityContext,
  Mount,
  PodSandboxConfig,
  SecurityProfile,
} from "./messages/config.ts";
import { NamespaceMode, ProfileType, Propagation, SupplementalGroups, signalName } from "./messages/values.ts";
import { usersOf } from "./sandboxes.ts";

export interface ContainerPlan {
  readonly podId: string;
  readonly pod: PodSandboxConfig;
  readonly runtimeHandler: string;
  readonly config: ContainerConfig;
  readonly logPath: string | undefined;
  readonly door: string;
}

/** What the engine makes of a container of the CRI. @throws Unsupported, InvalidArgument naming the field */
export async function containerRequest(
  plan: ContainerPlan,
  profile: (path: string) => Promise<string>,
): Promise<CreateContainerRequest> {
  const { config, pod, door } = plan;
  const { command, args, labels, workingDir, envs, tty, stdin, stdinOnce } = config;
  const stopSignal = signalName(config.stopSignal);
  if (stopSignal === undefined && config.stopSignal !== 0) {
    throw new InvalidArgument(`stop_signal ${config.stopSignal} is no signal`);
  }
  const user = userOf(config.linux?.securityContext);
  return {
    name: nameOf(pod, config),
    config: {
      image: config.image?.image ?? "",
      ...(isOnHost(pod) ? {} : { hostname: pod.hostname || (pod.metadata?.name ?? "") }),
      env: envs.map(({ key, value }) => `${key}=${Buffer.from(value).toString("utf8")}`),
      // Absent is the image's; CRI has no way to say "none".
      ...(command.length === 0 ? {} : { entrypoint: command }),
      ...(args.length === 0 ? {} : { cmd: args }),
      ...(workingDir === "" ? {} : { workingDir }),
      ...(user === "" ? {} : { user }),
      ...(stopSignal === undefined ? {} : { stopSignal }),
      labels,
      tty,
      openStdin: stdin,
      stdinOnce,
      healthcheck: { test: ["NONE"] },
      door,
    },
    hostConfig: await hostConfig(plan, profile),
  };
}

const isOnHost = ({ linux }: PodSandboxConfig): boolean =>
  linux?.securityContext?.namespaceOptions?.network === NamespaceMode.Node;

/** As users of engines with pods know them: kind, container, pod, namespace, uid, attempt. */
function nameOf({ metadata }: PodSandboxConfig, config: ContainerConfig): string {
  const { name = "", attempt = 0 } = config.metadata ?? {};
  const parts = [name, metadata?.name ?? "", metadata?.namespace ?? "", metadata?.uid ?? "", String(attempt)];
  return ["k8s", ...parts.map((part) => part.replaceAll(/[^a-zA-Z0-9_.-]/g, "-"))].join("_");
}

function userOf(context: LinuxContainerSecurityContext | undefined): string {
  if (context === undefined) return "";
  const { runAsUser, runAsUsername, runAsGroup } = context;
  const user = runAsUser === undefined ? runAsUsername : String(userId("run_as_user", runAsUser.value));
  if (runAsGroup === undefined) return user;
  if (user === "") throw new InvalidArgument("runAsGroup needs runAsUser or runAsUsername");
  return `${user}:${userId("run_as_group", runAsGroup.value)}`;
}

async function hostConfig(plan: ContainerPlan, profile: (path: string) => Promise<string>): Promise<HostConfig> {
  const { config, pod, podId, runtimeHandler, logPath } = plan;
  const context = config.linux?.securityContext;
  const policy = knownValue("supplemental_groups_policy", context?.supplementalGroupsPolicy ?? 0, SupplementalGroups);
  const resources = config.linux?.resources;
  const { addCapabilities = [], dropCapabilities = [], addAmbientCapabilities = [] } = context?.capabilities ?? {};
  if (addAmbientCapabilities.length > 0) throw new Unsupported("ambient capabilities are not supported");
  const pid = pidMode(context, pod);
  const users = usersOf(pod.linux?.securityContext?.namespaceOptions?.usernsOptions);
  return {
    pod: podId,
    ...(logPath === undefined ? { logConfig: { type: "none", config: {} } } : { logPath, logConfig: UNROTATED }),
    ...(pod.linux?.cgroupParent ? { cgroupParent: pod.linux.cgroupParent } : {}),
    ...(isOnHost(pod) ? { utsMode: "host" } : {}),
    sysctls: Object.fromEntries(Object.entries(pod.linux?.sysctls ?? {}).filter(([name]) => isIpcParameter(name))),
    ...(pid === undefined ? {} : { pidMode: pid }),
    ...(runtimeHandler === "" ? {} : { runtime: runtimeHandler }),
    mounts: config.mounts.map((mount) => mountSpec(mount, users)),
    devices: config.devices.map(({ hostPath, containerPath, permissions }) => ({
      pathOnHost: hostPath,
      pathInContainer: containerPath,
      cgroupPermissions: permissions,
    })),
    ...(config.cdiDevices.length === 0
      ? {}
      : { deviceRequests: [{ driver: "cdi", deviceIds: config.cdiDevices.map(({ name }) => name) }] }),
    capAdd: addCapabilities,
    capDrop: dropCapabilities,
    privileged: context?.privileged === true,
    readonlyRootfs: context?.readonlyRootfs === true,
    imageGroups: policy === SupplementalGroups.Strict ? "never" : "always",
    groupAdd: (context?.supplementalGroups ?? []).map((id) => String(userId("supplemental_groups", id))),
    securityOpt: await securityOptions(context, profile),
    ...(context?.maskedPaths.length ? { maskedPaths: context.maskedPaths } : {}),
    ...(context?.readonlyPaths.length ? { readonlyPaths: context.readonlyPaths } : {}),
    ...(resources === undefined ? {} : { resources: resourcesOf(resources), oomScoreAdj: resources.oomScoreAdj }),
  };
}

/** The file is the caller's to rotate. */
const UNROTATED = { type: "json-file", config: { "max-size": "-1" } };

function pidMode(context: LinuxContainerSecurityContext | undefined, pod: PodSandboxConfig): string | undefined {
  const options = context?.namespaceOptions;
  switch (options?.pid) {
    case undefined:
    case NamespaceMode.Container:
      return undefined;
    case NamespaceMode.Node:
      return "host";
    case NamespaceMode.Target:
      return `container:${options.targetId}`;
    case NamespaceMode.Pod:
      if (pod.linux?.securityContext?.namespaceOptions?.pid === NamespaceMode.Pod) return "pod";
      throw new InvalidArgument("the pod was made without a process namespace that its containers share");
    default:
      throw new InvalidArgument(`process namespace mode ${options?.pid} is none`);
  }
}

/** Whether the owners are the pod's ids. @throws Unsupported for others */
function isMapped({ containerPath, uidMappings, gidMappings }: Mount, users: IdMaps | undefined): boolean {
  if (uidMappings.length === 0 && gidMappings.length === 0) return false;
  const asked = usersOf({ mode: NamespaceMode.Pod, uids: uidMappings, gids: gidMappings });
  if (isDeepStrictEqual(asked, users)) return true;
  throw new Unsupported(`mount of ${containerPath}: its owners can only be mapped as the pod's users are`);
}

function mountSpec(mount: Mount, users: IdMaps | undefined): MountSpec {
  const { containerPath, hostPath, readonly: readOnly, image, imageSubPath, recursiveReadOnly } = mount;
  const idMapped = isMapped(mount, users);
  knownValue(`propagation of ${containerPath}`, mount.propagation, Propagation);
  if (recursiveReadOnly && (!readOnly || mount.propagation !== Propagation.Private)) {
    throw new InvalidArgument(`mount of ${containerPath}: recursive_read_only needs readonly, and private propagation`);
  }
  const target = posix.resolve("/", containerPath);
  if (image !== undefined && image.image !== "") {
    return {
      type: "image",
      target,
      source: image.image,
      readOnly: true,
      ...(imageSubPath === "" ? {} : { imageOptions: { subpath: imageSubPath } }),
    };
  }
  return {
    type: "bind",
    target,
    source: hostPath,
    readOnly,
    bindOptions: {
      propagation: propagation(mount.propagation),
      createMountpoint: true,
      ...(idMapped ? { idMapped } : {}),
      ...(!readOnly ? {} : recursiveReadOnly ? { readOnlyForceRecursive: true } : { readOnlyNonRecursive: true }),
    },
  };
}

function propagation(value: number): string {
  if (value === Propagation.HostToContainer) return "rslave";
  return value === Propagation.Bidirectional ? "rshared" : "rprivate";
}

async function securityOptions(
  context: LinuxContainerSecurityContext | undefined,
  profile: (path: string) => Promise<string>,
): Promise<readonly string[]> {
  if (context === undefined) return [];
  const { seccomp, apparmor, noNewPrivs, selinuxOptions } = context;
  if (selinuxOptions !== undefined && Object.values(selinuxOptions).some((value) => value !== "")) {
    throw new Unsupported("SELinux options are not supported: nothing here would enforce them");
  }
  return [
    ...(noNewPrivs ? ["no-new-privileges"] : []),
    ...(seccomp === undefined ? [] : await seccompOption(seccomp, profile)),
    ...(apparmor === undefined ? [] : apparmorOption(apparmor)),
  ];
}

async function seccompOption(
  { profileType, localhostRef }: SecurityProfile,
  profile: (path: string) => Promise<string>,
): Promise<readonly string[]> {
  knownValue("seccomp.profile_type", profileType, ProfileType);
  if (profileType === ProfileType.Unconfined) return ["seccomp=unconfined"];
  return profileType === ProfileType.Localhost ? [`seccomp=${await profile(localhostRef)}`] : [];
}

function apparmorOption({ profileType, localhostRef }: SecurityProfile): readonly string[] {
  knownValue("apparmor.profile_type", profileType, ProfileType);
  if (profileType === ProfileType.Unconfined) return ["apparmor=unconfined"];
  return profileType === ProfileType.Localhost ? [`apparmor=${localhostRef}`] : [];
}

/** Zero is "not said". */
export function resourcesOf(resources: LinuxContainerResources): Resources {
  const { hugepageLimits, unified, cpuQuota, memorySwapLimitInBytes } = resources;
  const huge = hugepageLimits.find(({ limit }) => limit > 0);
  if (huge !== undefined) throw new Unsupported(`limits of huge pages (${huge.pageSize}) are not supported`);
  const [key] = Object.keys(unified);
  if (key !== undefined) throw new Unsupported(`cgroup parameter ${key} is not supported`);
  const set = (field: keyof Resources, value: number | string): Resources =>
    value === 0 || value === "" ? {} : { [field]: value };
  return {
    ...set("cpuShares", resources.cpuShares),
    ...(cpuQuota > 0 ? { ...set("cpuPeriod", resources.cpuPeriod), cpuQuota } : {}),
    ...set("memory", resources.memoryLimitInBytes),
    ...set("memorySwap", memorySwapLimitInBytes),
    ...set("cpusetCpus", resources.cpusetCpus),
    ...set("cpusetMems", resources.cpusetMems),
  };
}
