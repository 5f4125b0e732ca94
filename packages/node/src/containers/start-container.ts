import { asBoxshipError, BoxshipError, type ErrorCode } from "@boxship/base";
import type { PodSandboxStatus } from "@boxship/cri";
import type { NodeContext } from "../agent/node-context.ts";
import { environment } from "../environment/env.ts";
import { ImageFailure, type Tell } from "../images/pull-images.ts";
import { fullNameOf, podConfig } from "../pods/pod-config.ts";
import { podAddresses } from "../status/pod-status.ts";
import { type ContainerSpec, fieldPathOf, type Pod } from "../types.ts";
import type { PreparedVolume } from "../volumes/volumes.ts";
import { checkNonRoot, containerConfig } from "./container-config.ts";
import { runHook } from "./run-hook.ts";
import { stopOne } from "./stop-containers.ts";

/** Why a container waits, as its status says it. */
export interface Waiting {
  readonly reason: string;
  readonly message?: string;
}

export interface StartRequest {
  readonly pod: Pod;
  readonly spec: ContainerSpec;
  readonly sandbox: PodSandboxStatus;
  readonly attempt: number;
  readonly volumes: ReadonlyMap<string, PreparedVolume>;
  /** The running container whose processes it is to see. */
  readonly targetId: string | undefined;
  /** Whether the pod's runtime makes all read-only that is below a mount. */
  readonly recursiveReadOnly: boolean;
}

/** Makes and starts one container. @returns why it waits instead; undefined when it runs */
export async function startContainer(context: NodeContext, request: StartRequest): Promise<Waiting | undefined> {
  const { events, cri } = context;
  const { pod, spec, sandbox, attempt } = request;
  const tell: Tell = (type, reason, message) => events.record(pod, type, reason, message, fieldPathOf(pod, spec));
  let step = "CreateContainerConfigError";
  try {
    const image = await context.images.get(pod, spec, tell);
    checkNonRoot(pod, spec, image);
    const facts = {
      podIPs: podAddresses(pod, sandbox, context),
      hostIPs: context.hostIPs,
      allocatable: context.allocatable,
    };
    const env = await environment(pod, spec, { objects: context.objects, services: context.services(), facts });
    const directory = context.volumes.directoryOf(pod);
    const { volumes, targetId, recursiveReadOnly } = request;
    const users = context.users.of(pod.metadata.uid ?? "");
    const config = await containerConfig({
      pod,
      spec,
      attempt,
      image,
      env,
      volumes,
      targetId,
      recursiveReadOnly,
      users,
      directory,
      podIPs: facts.podIPs,
      fullName: fullNameOf(pod, context.settings),
      nodeMemory: context.nodeMemory,
      seccompDirectory: context.settings.seccomp,
    });
    step = "CreateContainerError";
    const sandboxConfig = await podConfig(pod, sandbox.metadata?.attempt ?? 0, context.settings, users);
    const { containerId } = await cri.createContainer({ podSandboxId: sandbox.id, config, sandboxConfig });
    tell("Normal", "Created", `Container created: ${spec.name}`);
    step = "RunContainerError";
    await cri.startContainer({ containerId });
    tell("Normal", "Started", `Container started: ${spec.name}`);
    return await postStart(context, request, containerId, facts.podIPs[0] ?? "");
  } catch (error) {
    if (error instanceof ImageFailure) {
      tell("Warning", "Failed", `Error: ${error.reason}`);
      return { reason: error.reason, message: error.message };
    }
    const { message } = asBoxshipError(error);
    if (isPassing(error)) throw error;
    tell("Warning", "Failed", `Error: ${message}`);
    return { reason: step, message };
  }
}

/** Nothing is wrong with the container: the engine or the API is away. */
const PASSING: readonly ErrorCode[] = ["Unavailable"];
const isPassing = (error: unknown): boolean => error instanceof BoxshipError && PASSING.includes(error.code);

const HOOK_SECONDS = 3600;

async function postStart(
  context: NodeContext,
  { pod, spec }: StartRequest,
  containerId: string,
  podIP: string,
): Promise<Waiting | undefined> {
  const hook = spec.lifecycle?.postStart;
  if (hook === undefined) return undefined;
  const message = await runHook(context, { pod, spec, hook, containerId, podIP, timeoutSeconds: HOOK_SECONDS });
  if (message === undefined) return undefined;
  // What it printed may be secret: events are read by more than statuses are.
  context.events.record(pod, "Warning", "FailedPostStartHook", "PostStartHook failed", fieldPathOf(pod, spec));
  const seconds = pod.spec.terminationGracePeriodSeconds ?? 30;
  await stopOne(context, { pod, spec, containerId, seconds, why: "FailedPostStartHook" });
  return { reason: "PostStartHookError", message };
}
