import { MessageChannel, type MessagePort } from "node:worker_threads";
import { WorkerPool } from "@boxship/base/worker-pool";
import { type ClientCall, frame, writeFully } from "@boxship/grpc";
import { Packet, PacketType } from "../wire/fsutil.ts";
import { postBytes } from "./post-bytes.ts";
import type { ReceivedTree } from "./tree-receiver.ts";

/** A synchronisation that a worker does; the connection's bytes come and go through `port`. */
export interface TransferTask {
  readonly kind: "receive" | "send";
  readonly directory: string;
  readonly port: MessagePort;
  readonly prefix?: string;
}

export type ToWorker =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** The connection took so much. */
  | { readonly kind: "taken"; readonly bytes: number }
  | { readonly kind: "cut" };

export type FromWorker =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "taken"; readonly bytes: number };

/** Bytes that may wait for the worker before the client is slowed down. */
const WINDOW_BYTES = 4 << 20;

const pool = new WorkerPool({
  name: "buildkit-transfer",
  source: new URL("./transfer-worker.ts", import.meta.url),
  workers: 2,
  // One that waits for its client must keep nobody else waiting.
  tasksPerWorker: Number.POSITIVE_INFINITY,
});

/** Ends the worker threads; for tests. */
export function endTransferWorkers(): Promise<void> {
  return pool[Symbol.asyncDispose]();
}

/** The part of a call that a transfer needs, whatever its messages are. */
type TransferCall = Pick<ClientCall<unknown, unknown>, "stream" | "ended" | "endRequests">;

export interface TransferOptions {
  readonly directory: string;
  /** Hears how many bytes have travelled so far. */
  readonly onProgress?: (bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
  /** Directory at the receiver under which all is put. */
  readonly prefix?: string;
}

/** Makes `directory` equal to what the client sends on `call`; only what changed travels. Work is done in a worker. */
export async function receiveTree(call: TransferCall, options: TransferOptions): Promise<ReceivedTree> {
  const result = await transfer("receive", call, options);
  call.endRequests();
  await call.ended;
  return result as ReceivedTree;
}

/** Sends `directory` to the client on `call`. */
export async function sendTree(call: TransferCall, options: TransferOptions): Promise<void> {
  await transfer("send", call, options);
  // The receiver asked for the end, and waits for ours.
  await writeFully(call.stream, frame(Packet.encode({ type: PacketType.finish })));
  call.endRequests();
  call.stream.resume();
  await call.ended;
}

async function transfer(kind: TransferTask["kind"], call: TransferCall, options: TransferOptions): Promise<unknown> {
  const { port1: near, port2: port } = new MessageChannel();
  const { stream } = call;
  const cut = (): void => {
    flush();
    near.postMessage({ kind: "cut" } satisfies ToWorker, []);
  };
  let waiting = 0;
  let travelled = 0;
  // A client sends a small piece for each packet: those that arrive together go to the worker together.
  let gathered: Buffer[] = [];
  const flush = (): void => {
    const pieces = gathered;
    gathered = [];
    if (pieces.length > 0) postBytes(near, pieces);
  };
  const onData = (piece: Buffer): void => {
    waiting += piece.length;
    travelled += piece.length;
    if (waiting > WINDOW_BYTES) stream.pause();
    if (gathered.push(piece) === 1) setImmediate(flush);
    if (kind === "receive") options.onProgress?.(travelled);
  };
  const onMessage = (message: FromWorker): void => {
    if (message.kind === "taken") {
      waiting -= message.bytes;
      if (waiting <= WINDOW_BYTES && stream.isPaused()) stream.resume();
      return;
    }
    const { length } = message.bytes;
    writeFully(stream, message.bytes).then(() => {
      travelled += kind === "send" ? length : 0;
      if (kind === "send") options.onProgress?.(travelled);
      near.postMessage({ kind: "taken", bytes: length } satisfies ToWorker, []);
    }, cut);
  };
  near.on("message", onMessage);
  stream.on("data", onData).once("end", cut).once("close", cut);
  try {
    const task: TransferTask = {
      kind,
      directory: options.directory,
      port,
      ...(options.prefix === undefined ? {} : { prefix: options.prefix }),
    };
    return await pool.run(task, { transfer: [port], signal: options.signal });
  } catch (error) {
    options.signal?.throwIfAborted();
    // Of a connection that ended, the call knows why.
    if (stream.closed || stream.readableEnded) await call.ended;
    throw error;
  } finally {
    stream.off("data", onData).off("end", cut).off("close", cut);
    near.close();
  }
}
