import { Unsupported } from "@boxship/base";
import type { Engine } from "@boxship/engine";
import { containerHandlers } from "./containers.ts";
import type { CriHandlers } from "./contract.ts";
import { eventHandlers } from "./events.ts";
import { execHandlers } from "./exec.ts";
import { imageHandlers } from "./images.ts";
import { statusHandlers } from "./runtime-status.ts";
import { sandboxHandlers } from "./sandboxes.ts";
import { statsHandlers } from "./stats.ts";

/** The CRI over an engine. */
export function criHandlers(engine: Engine): CriHandlers {
  const refuse = (what: string) => () => Promise.reject(new Unsupported(`${what} is not supported`));
  return {
    ...statusHandlers(engine),
    ...sandboxHandlers(engine),
    ...containerHandlers(engine),
    ...execHandlers(engine),
    ...statsHandlers(engine),
    ...eventHandlers(engine),
    ...imageHandlers(engine),
    exec: refuse("Exec"),
    attach: refuse("Attach"),
    portForward: refuse("PortForward"),
  };
}
