import type { MessagePort } from "node:worker_threads";
import type { FromWorker, ToWorker } from "./transfer.ts";

/** Posts pieces as one, without a copy: a piece alone would bring all of the buffer that it lies in. */
export function postBytes(port: MessagePort, pieces: readonly Buffer[]): void {
  const bytes = Buffer.allocUnsafeSlow(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) at += piece.copy(bytes, at);
  port.postMessage({ kind: "bytes", bytes } satisfies ToWorker & FromWorker, [bytes.buffer]);
}
