import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { FailedPrecondition, InvalidArgument, Unsupported } from "@boxship/base";
import { type ContainerConfig, type Mount, NamespaceMode, Propagation, signalValue } from "@boxship/cri";
import type { Init } from "@boxship/grpc";
import { expand } from "../environment/env.ts";
import { ANNOTATION, LABEL } from "../labels.ts";
import { namespaceOptions } from "../pods/pod-config.ts";
import type { PodUsers } from "../pods/user-ranges.ts";
import { oomScoreAdj } from "../status/qos.ts";
import type { ContainerSpec, Pod, VolumeMount } from "../types.ts";
import { awaitFileSystem } from "../volumes/file-system-answer.ts";
import { isRecursive } from "../volumes/recursive-read-only.ts";
import { bindSubPath } from "../volumes/sub-path.ts";
import type { PreparedVolume } from "../volumes/volumes.ts";
import { containerResources } from "./container-resources.ts";
import { hostsFile } from "./hosts-file.ts";
import { securityContext } from "./security.ts";

export interface ContainerPlan {
  readonly pod: Pod;
  readonly spec: ContainerSpec;
  readonly attempt: number;
  /** What the image is called in the engine, and who it runs as by itself. */
  readonly image: { readonly id: string; readonly uid: number | undefined; readonly username: string };
  readonly env: ReadonlyMap<string, string>;
  readonly volumes: ReadonlyMap<string, PreparedVolume>;
  /** The running container whose processes it is to see. */
  readonly targetId: string | undefined;
  /** Whether the pod's runtime makes all read-only that is below a mount. */
  readonly recursiveReadOnly: boolean;
  /** Of the pod's own user namespace. */
  readonly users: PodUsers | undefined;
  /** The pod's own directory. */
  readonly directory: string;
  readonly podIPs: readonly string[];
  /** The pod's, where it has a subdomain. */
  readonly fullName: string | undefined;
  readonly nodeMemory: number;
  /** Where the node's own seccomp profiles are. */
  readonly seccompDirectory: string;
}

/** Of what a container is made from: when it changes, the container is made anew. */
export function hashOf({ name, image }: ContainerSpec): string {
  return createHash("sha256").update(JSON.stringify({ name, image })).digest("hex").slice(0, 16);
}

/** @throws InvalidArgument, FailedPrecondition, Unsupported naming the field */
export async function containerConfig(plan: ContainerPlan): Promise<Init<ContainerConfig>> {
  const { pod, spec, attempt, image, env, users } = plan;
  if ((spec.volumeDevices ?? []).length > 0) throw new Unsupported("volumeDevices are not supported");
  const action = spec.restartPolicyRules?.find((rule) => rule.action !== "Restart")?.action;
  if (action !== undefined) throw new Unsupported(`restartPolicyRules: action ${action} is not supported`);
  const message = await terminationFile(plan);
  return {
    metadata: { name: spec.name, attempt },
    image: { image: image.id, userSpecifiedImage: spec.image },
    command: (spec.command ?? []).map((word) => expand(word, env)),
    args: (spec.args ?? []).map((word) => expand(word, env)),
    workingDir: spec.workingDir,
    envs: [...env].map(([key, value]) => ({ key, value: Buffer.from(value) })),
    mounts: [
      ...(await Promise.all((spec.volumeMounts ?? []).map((mount, at) => mountOf(plan, mount, at)))),
      ...(await hostsMount(plan)),
      ...message.mounts,
    ].map((mount) => withOwners(mount, users)),
    labels: {
      [LABEL.podName]: pod.metadata.name ?? "",
      [LABEL.podNamespace]: pod.metadata.namespace ?? "",
      [LABEL.podUid]: pod.metadata.uid ?? "",
      [LABEL.containerName]: spec.name,
    },
    annotations: {
      [ANNOTATION.restartCount]: String(attempt),
      [ANNOTATION.hash]: hashOf(spec),
      ...message.annotations,
    },
    logPath: `${spec.name}/${attempt}.log`,
    stdin: spec.stdin,
    stdinOnce: spec.stdinOnce,
    tty: spec.tty,
    stopSignal: signalValue(spec.lifecycle?.stopSignal ?? ""),
    linux: {
      resources: { ...containerResources(spec), oomScoreAdj: oomScoreAdj(pod, spec, plan.nodeMemory) },
      securityContext: {
        ...securityContext(pod, spec, image, plan.seccompDirectory),
        namespaceOptions: {
          ...namespaceOptions(pod, users),
          ...targetedProcesses(plan),
        },
      },
    },
  };
}

/** Owners on the disk are the pod's ids; layers of images are the engine's to map. */
function withOwners(mount: Init<Mount>, users: PodUsers | undefined): Init<Mount> {
  if (users === undefined || mount.image !== undefined) return mount;
  return { ...mount, uidMappings: users.uids, gidMappings: users.gids };
}

/** @throws FailedPrecondition when what it is to look into does not run */
function targetedProcesses({ spec, targetId }: ContainerPlan) {
  if (!spec.targetContainerName) return {};
  if (targetId !== undefined) return { pid: NamespaceMode.Target, targetId };
  throw new FailedPrecondition(`container ${spec.targetContainerName} is not running`);
}

const PROPAGATIONS: Readonly<Record<string, number>> = {
  None: Propagation.Private,
  HostToContainer: Propagation.HostToContainer,
  Bidirectional: Propagation.Bidirectional,
};

async function mountOf(plan: ContainerPlan, mount: VolumeMount, at: number) {
  const { volumes, env, directory, spec } = plan;
  const volume = volumes.get(mount.name);
  if (volume === undefined) throw new InvalidArgument(`volume ${mount.name} of container ${spec.name} not found`);
  const subPath = mount.subPathExpr === undefined ? (mount.subPath ?? "") : expand(mount.subPathExpr, env);
  if (/\$\([^)]*\)/.test(subPath))
    throw new InvalidArgument(`subPathExpr ${mount.subPathExpr} names unknown variables`);
  if (volume.kind === "image") {
    return {
      containerPath: mount.mountPath,
      readonly: true,
      image: { image: volume.reference },
      imageSubPath: subPath,
    };
  }
  if (subPath !== "") await awaitFileSystem(join(volume.path, subPath));
  const place = join(directory, "subpaths", spec.name, String(at));
  return {
    containerPath: mount.mountPath,
    hostPath: subPath === "" ? volume.path : bindSubPath(volume.path, subPath, place),
    readonly: mount.readOnly === true || volume.readOnly,
    recursiveReadOnly: isRecursive(mount, plan.recursiveReadOnly),
    propagation: PROPAGATIONS[mount.mountPropagation ?? "None"] ?? Propagation.Private,
  };
}

/** The pod's own file, unless the container mounts one itself. */
async function hostsMount({ pod, directory, spec, podIPs, fullName }: ContainerPlan) {
  if (spec.volumeMounts?.some(({ mountPath }) => mountPath === "/etc/hosts")) return [];
  const path = join(directory, "etc-hosts");
  await writeFile(path, await hostsFile(pod, podIPs, fullName), { mode: 0o644 });
  return [{ containerPath: "/etc/hosts", hostPath: path }];
}

/** Where a container leaves what it has to say at its end. */
async function terminationFile({ spec, directory, attempt }: ContainerPlan) {
  const { terminationMessagePath: path = "/dev/termination-log", terminationMessagePolicy: policy = "File" } = spec;
  if (path === "") return { mounts: [], annotations: {} };
  const file = join(directory, "containers", spec.name, String(attempt));
  await mkdir(join(directory, "containers", spec.name), { recursive: true, mode: 0o755 });
  await writeFile(file, "", { mode: 0o666 });
  return {
    mounts: [{ containerPath: path, hostPath: file }],
    annotations: {
      [ANNOTATION.terminationMessagePath]: path,
      [ANNOTATION.terminationMessageFile]: file,
      [ANNOTATION.terminationMessagePolicy]: policy,
    },
  };
}

/** @throws FailedPrecondition for a container that must not be root and would be */
export function checkNonRoot(pod: Pod, spec: ContainerSpec, image: ContainerPlan["image"]): void {
  const own = spec.securityContext ?? {};
  const whole = pod.spec.securityContext ?? {};
  if ((own.runAsNonRoot ?? whole.runAsNonRoot) !== true) return;
  const user = own.runAsUser ?? whole.runAsUser ?? image.uid;
  if (user === 0) throw new FailedPrecondition("container's runAsUser breaks non-root policy");
  if (user === undefined && image.username !== "") {
    throw new FailedPrecondition(
      `container has runAsNonRoot and image has non-numeric user (${image.username}), cannot verify user is non-root`,
    );
  }
  if (user === undefined) throw new FailedPrecondition("container has runAsNonRoot and image will run as root");
}
