import { currentRecord, type EngineContext, eventAttributes } from "../context.ts";
import { startContainer } from "./container-start.ts";
import { type StopOptions, stopContainer } from "./container-stop.ts";

/** Stops it if it runs, and starts it. */
export async function restartContainer(context: EngineContext, ref: string, options: StopOptions = {}): Promise<void> {
  const { id } = context.containers.resolve(ref);
  await stopContainer(context, id, options);
  await startContainer(context, id);
  context.events.publish("container", "restart", id, eventAttributes(currentRecord(context, id)));
}
