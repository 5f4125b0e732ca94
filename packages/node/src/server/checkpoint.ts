import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { asBoxshipError, type Clock, Internal, NotFound } from "@boxship/base";
import { ContainerState, type Cri } from "@boxship/cri";
import { observe } from "../pods/observed.ts";
import { everyContainer, type Pod } from "../types.ts";

export interface CheckpointPlace {
  readonly cri: Cri;
  readonly clock: Clock;
  /** Made when it is not there, for root alone. */
  readonly directory: string;
}

export interface CheckpointRequest {
  /** Undefined when the node has no such pod. */
  readonly pod: Pod | undefined;
  readonly container: string;
  /** Seconds, as they were sent. @default as long as it takes */
  readonly timeout: string | undefined;
}

/**
 * Writes a running container of a pod to an archive, `CheckpointContainer` of the CRI, and lets it go on.
 *
 * @returns the archive's path
 * @throws NotFound, Internal with the engine's words, as the kubelet has them
 */
export async function checkpoint(
  { cri, clock, directory }: CheckpointPlace,
  { pod, container, timeout = "0" }: CheckpointRequest,
): Promise<string> {
  if (pod === undefined) throw new NotFound("pod does not exist");
  if (!everyContainer(pod).some(({ name }) => name === container)) {
    throw new NotFound(`container ${container} does not exist`);
  }
  if (!/^[+-]?\d+$/.test(timeout)) throw new NotFound("cannot parse value of timeout parameter");
  const { namespace = "", name = "", uid = "" } = pod.metadata;
  try {
    const [newest] = (await observe(cri, uid)).containers.get(container) ?? [];
    if (newest?.status.state !== ContainerState.Running) throw new NotFound(`container ${container} not found`);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const time = new Date(clock.now()).toISOString().replace(/\.\d+Z$/, "Z");
    const location = join(directory, `checkpoint-${name}_${namespace}-${container}-${time}.tar`);
    await cri.checkpointContainer({ containerId: newest.status.id, location, timeout: Number(timeout) });
    return location;
  } catch (cause) {
    const { message } = asBoxshipError(cause);
    throw new Internal(`checkpointing of ${namespace}/${name}/${container} failed (${message})`, { cause });
  }
}
