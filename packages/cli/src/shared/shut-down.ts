import { existsSync } from "node:fs";
import { ApiClient } from "../api-client/client.ts";
import { requireRoot } from "../api-client/require-root.ts";
import { resetByDaemon, StartFailure } from "../api-client/start-daemon.ts";
import { type Context, warn } from "../context.ts";
import { Failure } from "../failure.ts";

/** How long an engine may take to end. */
const STOP_TIMEOUT_MS = 30_000;
/** After this long a reset says what it does, and again. It takes as long as there are files. */
const PATIENCE_MS = 3000;
const TELL_AGAIN_MS = 30_000;

/**
 * Ends the engine and waits until its process is gone. One that does not run is started only for a reset, which is its
 * own to do.
 */
export async function shutDown(context: Context, { reset }: { readonly reset: boolean }): Promise<void> {
  await requireRoot(context.instance, context.endpoint);
  using plain = new ApiClient(context.endpoint);
  const api = reset ? context.api : plain;
  let pid: number | undefined;
  try {
    ({ Pid: pid } = await api.json<{ readonly Pid?: number }>("GET", "/boxship/ping"));
  } catch (error) {
    if (!reset || !(error instanceof StartFailure) || context.endpoint.kind !== "unix") throw error;
    warn(context, `${error.message}\nRemoving what carries the name of the instance`);
    await resetByDaemon(context.instance, context.endpoint.path);
    return;
  }
  await waitForEnd(context, api, pid, reset);
}

async function waitForEnd(context: Context, api: ApiClient, pid: number | undefined, reset: boolean): Promise<void> {
  await api.call("POST", `/boxship/shutdown${reset ? "?reset=1" : ""}`);
  const started = performance.now();
  const deadline = reset ? Number.POSITIVE_INFINITY : started + STOP_TIMEOUT_MS;
  let tellAt = started + PATIENCE_MS;
  const isAlive = (): boolean => pid !== undefined && existsSync(`/proc/${pid}`);
  while (isAlive()) {
    if (reset && performance.now() > tellAt) {
      const seconds = Math.round((performance.now() - started) / 1000);
      warn(context, `Deleting files for ${seconds} seconds now: this takes a while where there are many`);
      tellAt = performance.now() + TELL_AGAIN_MS;
    }
    if (performance.now() > deadline) {
      throw new Failure(`the engine (process ${pid}) has not ended yet`, {
        remedy: "see its log for what holds it up",
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
