import { currentRecord, type EngineContext, eventAttributes, liveOf } from "../context.ts";
import { startContainer } from "./container-start.ts";
import { type StopOptions, stopContainer } from "./container-stop.ts";

/** Stops it if it runs, and starts it. */
export async function restartContainer(context: EngineContext, ref: string, options: StopOptions = {}): Promise<void> {
  const { id } = context.containers.resolve(ref);
  const live = liveOf(context, id);
  live.restartsAsked++;
  try {
    await stopContainer(context, id, options);
    await startContainer(context, id);
  } finally {
    live.restartsAsked--;
  }
  context.events.publish("container", "restart", id, eventAttributes(currentRecord(context, id)));
}
