import { errorMessage } from "@boxship/base/errors";
import { readAll } from "../api-client/client.ts";
import type { WireResponse } from "../api-client/connection.ts";
import { type Context, warn } from "../context.ts";

interface WaitAnswer {
  readonly StatusCode: number;
  readonly Error?: { readonly Message?: string } | null;
}

const ENGINE_FAILED = 125;

/**
 * Begins to wait for a container. Once this resolves the engine is watching: an exit that follows cannot be missed.
 *
 * @returns the exit status when it is known; 125 when the engine cannot tell
 */
export async function beginWait(
  context: Context,
  container: string,
  condition: "next-exit" | "removed" | "not-running",
): Promise<{ readonly status: Promise<number> }> {
  const response = await context.api.open("POST", `/containers/${container}/wait`, { query: { condition } });
  const status = readStatus(context, response);
  // Nobody may be interested any more when it fails.
  status.catch(() => {});
  return { status };
}

async function readStatus(context: Context, response: WireResponse): Promise<number> {
  try {
    const answer = JSON.parse((await readAll(response.body)).toString()) as WaitAnswer;
    if (!answer.Error?.Message) return answer.StatusCode;
    warn(context, `Error waiting for container: ${answer.Error.Message}`);
  } catch (error) {
    warn(context, `error waiting for container: ${errorMessage(error)}`);
  }
  return ENGINE_FAILED;
}
