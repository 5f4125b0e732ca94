import type { Http2Stream } from "node:http2";
import { FrameReader } from "./frame.ts";
import type { MessageType } from "./message.ts";

/**
 * The messages that arrive on a stream, in order; the peer is slowed down to the reader's pace. Ends with the stream.
 *
 * @param maxBytes of one message @default {@link MAX_MESSAGE_BYTES}
 * @throws what the message or its frame is refused with
 */
export async function* readMessages<Value>(
  stream: Http2Stream,
  type: MessageType<Value>,
  maxBytes?: number,
): AsyncGenerator<Value> {
  const frames = new FrameReader(maxBytes);
  // Who stops reading early has not ended the call.
  for await (const piece of stream.iterator({ destroyOnReturn: false })) {
    for (const bytes of frames.push(piece as Buffer)) yield type.decode(bytes);
  }
  frames.finish();
}

/** Writes, and resolves when the stream takes more. Rejects when it is closed. */
export function writeFully(stream: Http2Stream, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    if (stream.destroyed || stream.writableEnded) {
      reject(new DOMException("the call has ended", "AbortError"));
      return;
    }
    if (stream.write(bytes)) {
      resolve();
      return;
    }
    const settle = (finish: () => void) => () => {
      stream.off("drain", onDrain).off("close", onClose);
      finish();
    };
    const onDrain = settle(resolve);
    const onClose = settle(() => reject(new DOMException("the call has ended", "AbortError")));
    stream.once("drain", onDrain).once("close", onClose);
  });
}
