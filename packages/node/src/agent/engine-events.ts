import { type Clock, sleep, Unsupported } from "@boxship/base";
import { ContainerEvent, ContainerState, type Cri, SandboxState } from "@boxship/cri";
import { LABEL } from "../labels.ts";

/** Something has happened to a pod's container, or to the pod as a whole. */
export interface EngineEvent {
  readonly podUid: string;
  /** Empty for the pod as a whole. */
  readonly containerId: string;
  /** It does not run, or is not there. */
  readonly over: boolean;
}

/** How often an engine is looked at that does not tell. */
const LOOK_MS = 1000;

type EventSource = Pick<Cri, "getContainerEvents" | "listContainers" | "listPodSandbox">;

/**
 * What an engine tells of pods from now on, until the signal or the end of the connection. One that tells nothing by itself (the call is
 * younger than others of the CRI) is looked at every second.
 */
export async function* engineEvents(cri: EventSource, clock: Clock, signal: AbortSignal): AsyncIterable<EngineEvent> {
  try {
    for await (const event of cri.getContainerEvents({}, { signal })) {
      const over: readonly number[] = [ContainerEvent.Stopped, ContainerEvent.Deleted];
      yield {
        podUid: event.podSandboxStatus?.metadata?.uid ?? "",
        containerId: event.containerId,
        over: over.includes(event.containerEventType),
      };
    }
  } catch (error) {
    if (!(error instanceof Unsupported)) throw error;
    yield* lookAgain(cri, clock, signal);
  }
}

interface Seen extends EngineEvent {
  readonly state: number;
}

async function* lookAgain(cri: EventSource, clock: Clock, signal: AbortSignal): AsyncIterable<EngineEvent> {
  let before = await look(cri);
  while (!signal.aborted) {
    await sleep(clock, LOOK_MS, signal).catch(() => {});
    if (signal.aborted) return;
    const now = await look(cri);
    for (const [id, seen] of now) if (before.get(id)?.state !== seen.state) yield seen;
    for (const [id, { podUid, containerId }] of before) if (!now.has(id)) yield { podUid, containerId, over: true };
    before = now;
  }
}

/** Containers and pods, by their ids. */
async function look(cri: EventSource): Promise<ReadonlyMap<string, Seen>> {
  const [{ containers }, { items }] = await Promise.all([cri.listContainers({}), cri.listPodSandbox({})]);
  const podUid = (labels: Readonly<Record<string, string>>): string => labels[LABEL.podUid] ?? "";
  return new Map([
    ...containers.map(({ id, state, labels }): [string, Seen] => {
      const over = state !== ContainerState.Running && state !== ContainerState.Created;
      return [id, { podUid: podUid(labels), containerId: id, state, over }];
    }),
    ...items.map(({ id, state, labels }): [string, Seen] => {
      return [id, { podUid: podUid(labels), containerId: "", state, over: state !== SandboxState.Ready }];
    }),
  ]);
}
