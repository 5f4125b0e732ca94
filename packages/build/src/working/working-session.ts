import type { BuildRequest } from "../contract.ts";
import { ContextSet } from "../solver/contexts.ts";
import { type BuilderParts, BuildSession } from "../solver/session.ts";

/** A build of nothing, for steps that are done by hand. */
export function workingSession(
  parts: BuilderParts,
  signal: AbortSignal,
  request: Partial<BuildRequest> = {},
): BuildSession {
  const whole: BuildRequest = {
    file: { kind: "bytes", name: "command line", bytes: new Uint8Array() },
    context: { kind: "empty" },
    ...request,
  };
  const session = new BuildSession(parts, whole, () => {}, signal, undefined);
  session.file = { args: [], stages: [], escape: "\\", sources: new Map(), warnings: [] };
  session.contexts = new ContextSet(session);
  return session;
}
