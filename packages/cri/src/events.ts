import type { Engine, EngineEvent } from "@boxship/engine";
import { containersOf } from "@boxship/engine";
import type { Init } from "@boxship/grpc";
import { containerStatus } from "./container-status.ts";
import type { CriHandlers } from "./contract.ts";
import type { ContainerEventResponse } from "./messages/calls.ts";
import { ContainerEvent } from "./messages/values.ts";
import { sandboxStatus } from "./sandboxes.ts";

const KINDS: Readonly<Record<string, number>> = {
  create: ContainerEvent.Created,
  start: ContainerEvent.Started,
  die: ContainerEvent.Stopped,
  destroy: ContainerEvent.Deleted,
};

/** Changes of containers of pods, as they happen. */
export function eventHandlers(engine: Engine): Pick<CriHandlers, "getContainerEvents"> {
  return {
    async *getContainerEvents(_request, signal) {
      const waiting: Init<ContainerEventResponse>[] = [];
      let wake = Promise.withResolvers<void>();
      const podOf = new Map(engine.parts.containers.all().map(({ id, hostConfig }) => [id, hostConfig.pod]));
      using _subscription = engine.events.subscribe((event) => {
        const told = eventOf(engine, event, podOf);
        if (told === undefined) return;
        waiting.push(told);
        wake.resolve();
      });
      signal.addEventListener("abort", () => wake.resolve(), { once: true });
      while (!signal.aborted) {
        yield* waiting.splice(0);
        if (waiting.length > 0) continue;
        await wake.promise;
        wake = Promise.withResolvers();
      }
    },
  };
}

/** @param podOf pods of containers, those that are removed included */
function eventOf(
  { parts }: Engine,
  { type, action, actor, time }: EngineEvent,
  podOf: Map<string, string | undefined>,
): Init<ContainerEventResponse> | undefined {
  const kind = KINDS[action];
  if (type !== "container" || kind === undefined) return undefined;
  const { id } = actor;
  if (kind === ContainerEvent.Created) podOf.set(id, parts.containers.get(id)?.hostConfig.pod);
  const podId = podOf.get(id);
  if (podId === undefined) return undefined;
  if (kind === ContainerEvent.Deleted) podOf.delete(id);
  const pod = parts.pods.get(podId);
  return {
    containerId: id,
    containerEventType: kind,
    createdAt: time,
    ...(pod === undefined ? {} : { podSandboxStatus: sandboxStatus(parts, pod) }),
    containersStatuses: containersOf(parts, podId).map((record) => containerStatus(parts, record)),
  };
}
