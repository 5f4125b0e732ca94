import { setTimeout as delay } from "node:timers/promises";
import { errorMessage } from "@boxship/base/errors";
import type { Context } from "../context.ts";

const PLACES = { container: "/containers", exec: "/exec", "working-run": "/boxship/working-runs" } as const;

/** What has a terminal: a container, or a command that runs in one. */
export interface ResizeTarget {
  readonly kind: keyof typeof PLACES;
  readonly id: string;
}

/** Attempts to give a starting container its size: its terminal may not be there yet. */
const ATTEMPTS = 10;

/** Height and width of the user's terminal; zeroes where there is none. */
export function terminalSize({ stdout }: Context): readonly [height: number, width: number] {
  return stdout.isTTY ? [stdout.rows, stdout.columns] : [0, 0];
}

export async function resizeTo(
  { api }: Context,
  target: ResizeTarget,
  [h, w]: readonly [height: number, width: number],
): Promise<void> {
  if (h === 0 && w === 0) return;
  await api.call("POST", `${PLACES[target.kind]}/${target.id}/resize`, { query: { h, w } });
}

/** Keeps a terminal in a container as large as the user's, until disposed. */
export function followTerminalSize(context: Context, target: ResizeTarget): Disposable {
  const disposal = new AbortController();
  const first = async (): Promise<void> => {
    for (let attempt = 1; attempt <= ATTEMPTS && !disposal.signal.aborted; attempt++) {
      try {
        await resizeTo(context, target, terminalSize(context));
        return;
      } catch (error) {
        if (attempt === ATTEMPTS && !disposal.signal.aborted) {
          context.stderr.write(`failed to resize tty, using default size: ${errorMessage(error)}\n`);
        }
        await delay(attempt * 10);
      }
    }
  };
  // A size that cannot be set now is set with the next change.
  const change = (): void => void resizeTo(context, target, terminalSize(context)).catch(() => {});
  void first();
  context.stdout.on("resize", change);
  return {
    [Symbol.dispose]() {
      disposal.abort();
      context.stdout.off("resize", change);
    },
  };
}
