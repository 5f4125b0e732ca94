import { asBoxshipError, BoxshipError, type ErrorCode, sleep } from "@boxship/base";
import type { PodSandboxStatus } from "@boxship/cri";
import type { NodeContext } from "../agent/node-context.ts";
import { environment } from "../environment/env.ts";
import { ImageFailure, type Tell } from "../images/pull-images.ts";
import { fullNameOf, podConfig } from "../pods/pod-config.ts";
import { runHandler } from "../probes/probe-run.ts";
import { podAddresses } from "../status/pod-status.ts";
import { type ContainerSpec, fieldPathOf, type Pod } from "../types.ts";
import type { PreparedVolume } from "../volumes/volumes.ts";
import { checkNonRoot, containerConfig } from "./container-config.ts";

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
    await postStart(context, request, containerId, facts.podIPs[0] ?? "");
    return undefined;
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
  { cri, clock, events }: NodeContext,
  { pod, spec }: StartRequest,
  containerId: string,
  podIP: string,
): Promise<void> {
  const hook = spec.lifecycle?.postStart;
  if (hook === undefined) return;
  if (hook.sleep !== undefined) {
    await sleep(clock, hook.sleep.seconds * 1000);
    return;
  }
  const target = { cri, clock, containerId, container: spec, podIP, timeoutSeconds: HOOK_SECONDS };
  const { success, output } = await runHandler(hook, target);
  if (success) return;
  const message = `PostStartHook failed: ${output}`;
  events.record(pod, "Warning", "FailedPostStartHook", message, fieldPathOf(pod, spec));
  await cri.stopContainer({ containerId, timeout: pod.spec.terminationGracePeriodSeconds ?? 30 });
}
