import { finished, type Readable } from "node:stream";
import type { MessagePort } from "node:worker_threads";
import { Internal } from "@boxship/base/errors";
import { type PostedError, postableError, postedError } from "@boxship/base/worker-pool";
import { releaseBytes } from "../release-bytes.ts";

/**
 * A stream of bytes over a message port with back-pressure: at most a few pieces are on their way. One side sends, the
 * other receives; either may end it.
 */

type ToReceiver =
  | { readonly kind: "data"; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: "end" }
  | { readonly kind: "error"; readonly error: PostedError };

type ToSender = { readonly kind: "taken" } | { readonly kind: "cancel" };

const ON_THE_WAY = 4;

/** Sends everything that the source yields, its failure included. Resolves early when the receiver has had enough. */
export async function sendBytes(
  port: MessagePort,
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  const flow = { credit: ON_THE_WAY, cancelled: false, wake: () => {} };
  port.on("message", (message: ToSender) => {
    if (message.kind === "cancel") flow.cancelled = true;
    else flow.credit++;
    flow.wake();
  });
  port.on("close", () => {
    flow.cancelled = true;
    flow.wake();
  });
  try {
    for await (const piece of source) {
      while (flow.credit === 0 && !flow.cancelled) await new Promise<void>((resolve) => (flow.wake = resolve));
      if (flow.cancelled) return;
      flow.credit--;
      const bytes = exactly(piece);
      port.postMessage({ kind: "data", bytes } satisfies ToReceiver, [bytes.buffer]);
    }
    port.postMessage({ kind: "end" } satisfies ToReceiver);
  } catch (error) {
    port.postMessage({ kind: "error", error: postableError(error) } satisfies ToReceiver);
    throw error;
  } finally {
    // Posted messages are still delivered.
    port.close();
  }
}

/** A message between threads costs as much as copying some ten kilobytes. */
const BLOCK = 256 << 10;
const BLOCKS_READY = 2;

/**
 * A stream's bytes in large blocks, each a buffer of its own. The stream's pieces are emptied: nobody else may have them.
 * Leaving the loop early leaves the stream as it is, paused:
 * a request that is refused half-way must still be answered.
 */
export async function* blocksOf(source: Readable): AsyncGenerator<Buffer<ArrayBuffer>> {
  const ready: Buffer<ArrayBuffer>[] = [];
  const end: { reached: boolean; error?: unknown } = { reached: false };
  let block = Buffer.allocUnsafeSlow(BLOCK);
  let filled = 0;
  let wake = () => {};
  const onData = (piece: Buffer) => {
    for (let at = 0; at < piece.length; ) {
      const taken = piece.copy(block, filled, at);
      at += taken;
      filled += taken;
      if (filled < BLOCK) continue;
      ready.push(block);
      block = Buffer.allocUnsafeSlow(BLOCK);
      filled = 0;
    }
    releaseBytes(piece);
    if (ready.length >= BLOCKS_READY) source.pause();
    if (ready.length > 0) wake();
  };
  const forget = finished(source, { writable: false }, (error) => {
    Object.assign(end, { reached: true, error });
    wake();
  });
  source.on("data", onData);
  try {
    for (;;) {
      const next = ready.shift();
      if (next !== undefined) {
        source.resume();
        yield next;
      } else if (end.error) throw end.error;
      else if (end.reached) break;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
    if (filled > 0) yield Buffer.from(new Uint8Array(block.subarray(0, filled)).buffer);
  } finally {
    forget();
    source.off("data", onData);
    source.pause();
  }
}

/** The same bytes in a buffer of their own that can be given away. */
function exactly(piece: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = piece;
  const owned = buffer instanceof ArrayBuffer && buffer.byteLength === piece.byteLength && buffer.byteLength > 0;
  return owned ? (piece as Uint8Array<ArrayBuffer>) : new Uint8Array(piece);
}

/**
 * What the other side sends. Leaving the loop early tells the sender to stop.
 *
 * @param failed rejects when the sender can no longer report anything itself
 */
export async function* receiveBytes(port: MessagePort, failed?: Promise<unknown>): AsyncGenerator<Buffer> {
  const queue: ToReceiver[] = [];
  let wake = () => {};
  let broken: unknown;
  const push = (message: ToReceiver) => {
    queue.push(message);
    wake();
  };
  port.on("message", push);
  port.on("close", () => push({ kind: "error", error: postableError(new Internal("the sending thread has gone")) }));
  failed?.catch((error: unknown) => {
    broken = error;
    wake();
  });
  try {
    for (;;) {
      const message = queue.shift();
      if (message === undefined) {
        if (broken !== undefined) throw broken;
        await new Promise<void>((resolve) => (wake = resolve));
        continue;
      }
      if (message.kind === "end") return;
      if (message.kind === "error") throw postedError(message.error);
      port.postMessage({ kind: "taken" } satisfies ToSender);
      const { buffer, byteOffset, byteLength } = message.bytes;
      yield Buffer.from(buffer, byteOffset, byteLength);
    }
  } finally {
    port.postMessage({ kind: "cancel" } satisfies ToSender);
    port.close();
  }
}
