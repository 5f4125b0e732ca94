import { readdirSync, readlinkSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { sleep, systemCode } from "@boxship/base";
import { conmonOf } from "./conmon-process.ts";
import type { Context } from "./context.ts";

const QUICK_LOOKS = 20;
const LONGEST_WAIT_MS = 1000;

/**
 * Waits until conmon has accepted the clients that attached before the start.
 *
 * conmon looks for an exited container once before it looks at its sockets. When it is not scheduled for a while just
 * there, a container that is started and ends meanwhile is noticed first, and clients that still wait to be accepted are
 * dropped with all of its output. Seen about once in a thousand short containers on a machine with a load of 37.
 *
 * @param clients how many are attached; conmon has one more socket, the one that listens
 */
export async function attachesSettled(context: Context, id: string, clients: number): Promise<void> {
  if (clients === 0) return;
  const conmon = conmonOf(context, id);
  if (conmon === undefined) return;
  const start = context.clock.monotonic();
  for (let look = 1; socketsOf(conmon) <= clients; look++) {
    if (context.clock.monotonic() - start > LONGEST_WAIT_MS) {
      context.logger.warn("conmon does not accept its clients", { container: id });
      return;
    }
    await (look < QUICK_LOOKS ? turn() : sleep(context.clock, 1));
  }
}

function socketsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).filter((name) => isSocket(`/proc/${pid}/fd/${name}`)).length;
  } catch (error) {
    // It has ended: there is nothing to wait for.
    if (isGone(error)) return Number.POSITIVE_INFINITY;
    throw error;
  }
}

function isSocket(path: string): boolean {
  try {
    return readlinkSync(path).startsWith("socket:");
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  const code = systemCode(error);
  return code === "ENOENT" || code === "ESRCH";
}
