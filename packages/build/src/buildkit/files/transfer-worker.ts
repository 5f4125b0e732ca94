import type { MessagePort } from "node:worker_threads";
import { Internal } from "@boxship/base/errors";
import { serveTasks, type TaskContext } from "@boxship/base/worker-pool";
import { FrameReader, frame } from "@boxship/grpc";
import { postBytes } from "./post-bytes.ts";
import type { FromWorker, ToWorker, TransferTask } from "./transfer.ts";
import { TreeReceiver } from "./tree-receiver.ts";
import { TreeSender } from "./tree-sender.ts";

/** Bytes that may be on their way to the other thread. */
const WINDOW_BYTES = 2 << 20;

serveTasks((task: TransferTask, context: TaskContext) =>
  task.kind === "receive" ? receive(task, context) : send(task, context),
);

/** Waits for what the other thread posts; ends with undefined. */
function messages(port: MessagePort, take: (message: ToWorker) => boolean): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    port.on("message", (message: ToWorker) => {
      try {
        if (message.kind === "cut") throw new Internal("the connection was cut");
        if (take(message)) resolve();
      } catch (error) {
        reject(error);
      }
    });
  }).finally(() => port.close());
}

async function receive({ directory, port }: TransferTask, context: TaskContext): Promise<unknown> {
  const outgoing: Buffer[] = [];
  using receiver = new TreeReceiver(directory, (packet) => outgoing.push(frame(packet)));
  const frames = new FrameReader();
  const post = (message: FromWorker) => port.postMessage(message);
  await messages(port, (message) => {
    context.throwIfCancelled();
    if (message.kind === "bytes") {
      for (const packet of frames.push(
        Buffer.from(message.bytes.buffer, message.bytes.byteOffset, message.bytes.length),
      ))
        receiver.accept(packet);
      post({ kind: "taken", bytes: message.bytes.length });
      if (outgoing.length > 0) postBytes(port, outgoing.splice(0));
    }
    return receiver.done;
  });
  return receiver.result;
}

async function send({ directory, port, prefix }: TransferTask, context: TaskContext): Promise<unknown> {
  using sender = new TreeSender(directory, prefix);
  const frames = new FrameReader();
  let underWay = 0;
  let bytes = 0;
  const pump = (): void => {
    const pieces: Buffer[] = [];
    for (let size = 0; underWay + size < WINDOW_BYTES; ) {
      const packet = sender.next();
      if (packet === undefined) break;
      const framed = frame(packet);
      size += framed.length;
      pieces.push(framed);
    }
    if (pieces.length === 0) return;
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    underWay += length;
    bytes += length;
    postBytes(port, pieces);
  };
  pump();
  await messages(port, (message) => {
    context.throwIfCancelled();
    if (message.kind === "taken") underWay -= message.bytes;
    else if (message.kind === "bytes") {
      for (const packet of frames.push(
        Buffer.from(message.bytes.buffer, message.bytes.byteOffset, message.bytes.length),
      ))
        sender.accept(packet);
    }
    pump();
    return sender.done;
  });
  return { bytes };
}
