import { Conflict } from "@boxship/base";
import { type EngineContext, eventAttributes } from "../context.ts";
import type { TerminalSize } from "../engine-api.ts";
import { isAlive } from "./state.ts";

/** Sets the size of a running container's terminal. */
export function resizeContainer(context: EngineContext, ref: string, size: TerminalSize): void {
  const record = context.containers.resolve(ref);
  if (!isAlive(record.state)) {
    throw new Conflict(`cannot resize a stopped container: unknown`, {
      subject: { kind: "container", name: record.name },
    });
  }
  context.runtime.resize(record.id, size);
  context.events.publish("container", "resize", record.id, {
    ...eventAttributes(record),
    height: String(size.height),
    width: String(size.width),
  });
}
