import type { Engine } from "@boxship/engine";
import { checkpointHandlers } from "./checkpoint.ts";
import { containerHandlers } from "./containers.ts";
import type { CriHandlers } from "./contract.ts";
import { eventHandlers } from "./events.ts";
import { execHandlers } from "./exec.ts";
import { imageHandlers } from "./images.ts";
import { metricHandlers } from "./metrics.ts";
import { statusHandlers } from "./runtime-status.ts";
import { sandboxHandlers } from "./sandboxes.ts";
import { statsHandlers } from "./stats.ts";
import { portForwardHandlers } from "./streaming/port-forward.ts";
import { remoteCommandHandlers } from "./streaming/remote-command.ts";
import type { StreamingServer } from "./streaming/streaming-server.ts";

/** The CRI over an engine. @param streaming stays the caller's */
export function criHandlers(engine: Engine, streaming: StreamingServer): CriHandlers {
  return {
    ...statusHandlers(engine),
    ...sandboxHandlers(engine),
    ...containerHandlers(engine),
    ...checkpointHandlers(engine),
    ...execHandlers(engine),
    ...statsHandlers(engine),
    ...metricHandlers(engine),
    ...eventHandlers(engine),
    ...imageHandlers(engine),
    ...remoteCommandHandlers(engine, streaming),
    ...portForwardHandlers(engine, streaming),
  };
}
