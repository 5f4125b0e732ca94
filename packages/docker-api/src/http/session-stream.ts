import type { Socket } from "node:net";
import { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import type { OutputFrame, StreamSession } from "@boxship/engine";
import { frameHeader } from "./multiplex.ts";
import { StreamWriter } from "./stream-writer.ts";

/**
 * Joins the streams of a process with a connection that was taken over from HTTP, until the process closes its output
 * or the client goes away. Either side is slowed down to the other's pace. The client's end of input is passed on and
 * ends nothing else; when output is over the connection is ended.
 *
 * @param signal ends it early, e.g. because the server closes
 */
export async function pumpSession(session: StreamSession, socket: Socket, signal: AbortSignal): Promise<void> {
  const letGo = () => session.close();
  socket.once("close", letGo);
  signal.addEventListener("abort", letGo, { once: true });
  if (signal.aborted || socket.destroyed) letGo();
  try {
    pumpInput(session, socket);
    probeForClient(socket);
    await pumpOutput(session, new StreamWriter(socket));
  } finally {
    socket.off("close", letGo);
    signal.removeEventListener("abort", letGo);
    session.close();
    socket.unpipe();
    endSocket(socket);
  }
}

function pumpInput(session: StreamSession, socket: Socket): void {
  const { stdin } = session;
  if (stdin === undefined) {
    // Read on, or the end of the connection would never be seen.
    socket.resume();
    return;
  }
  // A process that closes its stdin early is no failure; the rest of the input has nowhere to go.
  stdin.on("error", () => {
    socket.unpipe(stdin);
    socket.resume();
  });
  if (socket.readableEnded) stdin.end();
  else socket.pipe(stdin);
}

/** How often a client from which nothing comes is looked for. */
const PROBE_MS = 30_000;

/**
 * A client that has closed its input may still read, and one whose input nobody takes cannot be heard; one that is gone
 * looks the same until something is written to it. Writing nothing tells them apart: it fails when nobody can read any
 * more, and the socket closes itself. While input is still taken it is left to arrive.
 */
export function probeForClient(socket: Socket): void {
  let timer: NodeJS.Timeout | undefined;
  let taken = -1;
  const probe = () => {
    clearTimeout(timer);
    if (!socket.writable) return;
    const silent = socket.readableEnded || socket.bytesRead === taken;
    if (silent && socket.writableLength === 0) socket.write(Buffer.alloc(0));
    taken = socket.bytesRead;
    timer = setTimeout(probe, PROBE_MS).unref();
  };
  socket.once("close", () => clearTimeout(timer));
  // Over TCP the kernel finds out.
  socket.setKeepAlive(true, PROBE_MS);
  if (!socket.readableEnded) socket.once("end", probe);
  probe();
}

async function pumpOutput({ output, tty }: StreamSession, writer: StreamWriter): Promise<void> {
  const send = ({ stream, data }: OutputFrame): Promise<void> | undefined =>
    tty ? writer.push(data) : writer.push(frameHeader(stream, data.length), data);
  if (output instanceof Readable) await pumpFlowing(output, writer, send);
  else {
    for await (const frame of output) {
      await send(frame);
      if (writer.closed) return;
    }
  }
  writer.flush();
}

/** A frame is on its way in the call that brings it: an iterator's promises would hold each up. */
async function pumpFlowing(
  output: Readable,
  writer: StreamWriter,
  send: (frame: OutputFrame) => Promise<void> | undefined,
): Promise<void> {
  output.on("data", (frame: OutputFrame) => {
    const drained = send(frame);
    if (writer.closed) output.destroy();
    else if (drained !== undefined) {
      output.pause();
      void drained.then(() => output.resume());
    }
  });
  await finished(output, { writable: false }).catch((error: unknown) => {
    if (!writer.closed) throw error;
  });
}

/** How long a client may take to notice the end before the connection is cut. */
const LINGER_MS = 10_000;

function endSocket(socket: Socket): void {
  if (socket.destroyed) return;
  socket.end();
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  timer.unref();
  socket.once("close", () => clearTimeout(timer));
}
