import { BoxshipError, InvalidArgument } from "@boxship/base";
import { ExecUsed, StartFailed, type StreamSession } from "@boxship/engine";
import type { ApiCall } from "../../http/call.ts";
import { messageOf } from "../../http/error-mapper.ts";
import { frameHeader, streamType } from "../../http/multiplex.ts";
import { defineRoute } from "../../http/route.ts";
import { pumpSession } from "../../http/session-stream.ts";
import { decodeBody } from "../../wire/codec.ts";
import { type ExecStart, execStart as execStartBody, isKnownSize } from "../../wire/exec-config.ts";

export const execStart = defineRoute({
  method: "POST",
  path: "/exec/{id}/start",
  doc: { state: "works" },
  body: (body, context) => decodeBody(execStartBody, body, context),
  handle: async (call, { body }) => {
    const id = call.param("id");
    const { detach = false, tty = false } = body;
    if (isKnownSize(body.consoleSize) && !tty)
      throw new InvalidArgument("console size is only supported when TTY is enabled");
    if (detach) {
      await call.engine.execs.startDetached(id);
      return { status: 200 };
    }
    await startAttached(call, id, body);
    return undefined;
  },
});

async function startAttached(call: ApiCall, id: string, { tty = false, consoleSize }: ExecStart): Promise<void> {
  let session: StreamSession;
  try {
    session = await call.engine.execs.start(id, { tty, ...(isKnownSize(consoleSize) ? { consoleSize } : {}) });
  } catch (error) {
    if (!belongsInStream(call, error)) throw error;
    await reportInStream(call, error, tty);
    return;
  }
  if (call.request.socket.destroyed) {
    session.close();
    return;
  }
  const socket = await call.hijack(streamType(session.tty, call.version));
  await pumpSession(session, socket, call.signal);
}

/** The exec or its container is not there, or not in a state for it: then nothing was begun. */
const OF_STATE: ReadonlySet<string> = new Set(["NotFound", "Conflict", "FailedPrecondition"]);

/**
 * A command that cannot be started is told in the stream, and its status (126, 127) by an inspect of the exec: that is
 * where clients look for both. So is a second start, which Compose makes of what it has attached to. Those that ask for an upgrade show nothing of any other answer; without one, who the user
 * is or where the command should run is refused with a status.
 */
function belongsInStream(call: ApiCall, error: unknown): error is BoxshipError {
  if (error instanceof StartFailed || error instanceof ExecUsed) return true;
  return call.upgraded && error instanceof BoxshipError && !OF_STATE.has(error.code);
}

async function reportInStream(call: ApiCall, error: BoxshipError, tty: boolean): Promise<void> {
  const socket = await call.hijack(streamType(tty, call.version));
  const line = Buffer.from(`${messageOf(error)}\r\n`);
  if (!tty) socket.write(frameHeader("stdout", line.length));
  socket.end(line);
  socket.resume();
}
