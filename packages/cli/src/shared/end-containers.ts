import type { Context } from "../context.ts";
import { Failure } from "../failure.ts";
import { integer, text } from "../flags/flag.ts";
import { containerPath } from "./container-path.ts";
import { operateOnEach } from "./operate-on-each.ts";

/** How long a container has to end, and by what: of `stop` and `restart`. */
export const endFlags = {
  signal: text("Signal to send to the container", { short: "s" }),
  time: integer("Seconds to wait before killing the container", { hidden: true }),
  timeout: integer("Seconds to wait before killing the container", { short: "t" }),
};

interface EndRequest {
  readonly flags: { readonly signal: string; readonly time: number; readonly timeout: number };
  /** Flags that were given. */
  readonly changed: ReadonlySet<string>;
  readonly operands: readonly string[];
}

/** @param verb of the engine's API. @throws Failure for both ways to name a time */
export async function endContainers(
  context: Context,
  verb: "stop" | "restart",
  { flags, changed, operands }: EndRequest,
): Promise<void> {
  if (changed.has("time") && changed.has("timeout")) {
    throw new Failure("conflicting options: cannot specify both --timeout and --time");
  }
  // Zero is a timeout, too: kill at once.
  const t = changed.has("time") ? String(flags.time) : changed.has("timeout") ? String(flags.timeout) : undefined;
  await operateOnEach(context, operands, (name) =>
    context.api.call("POST", containerPath(name, `/${verb}`), { query: { t, signal: flags.signal } }),
  );
}
