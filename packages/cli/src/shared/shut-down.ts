import { existsSync } from "node:fs";
import { ApiClient } from "../api-client/client.ts";
import type { Context } from "../context.ts";
import { Failure } from "../failure.ts";

/** How long an engine may take to end. */
const STOP_TIMEOUT_MS = 30_000;
const RESET_TIMEOUT_MS = 300_000;

/**
 * Ends the engine and waits until its process is gone. One that does not run is started only for a reset, which is its
 * own to do.
 */
export async function shutDown(context: Context, { reset }: { readonly reset: boolean }): Promise<void> {
  using plain = new ApiClient(context.endpoint);
  const api = reset ? context.api : plain;
  const { Pid } = await api.json<{ readonly Pid?: number }>("GET", "/boxship/ping");
  await api.call("POST", `/boxship/shutdown${reset ? "?reset=1" : ""}`);
  const deadline = performance.now() + (reset ? RESET_TIMEOUT_MS : STOP_TIMEOUT_MS);
  const isAlive = (): boolean => Pid !== undefined && existsSync(`/proc/${Pid}`);
  while (isAlive()) {
    if (performance.now() > deadline) {
      throw new Failure(`the engine (process ${Pid}) has not ended yet`, {
        remedy: "see its log for what holds it up",
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
