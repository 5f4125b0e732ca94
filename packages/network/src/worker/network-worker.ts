import { parentPort } from "node:worker_threads";
import { Internal } from "@boxship/base";
import { WorkerContext } from "./context.ts";
import { type OperationName, operations } from "./operations.ts";
import { toWire, type WireError } from "./wire-error.ts";

/** The worker thread: does one operation for each message, in order, and answers each. */

export interface WorkerRequest {
  readonly id: number;
  readonly operation: OperationName;
  readonly argument: unknown;
}

export type WorkerAnswer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: WireError };

function serve(port: NonNullable<typeof parentPort>): void {
  const context = new WorkerContext();
  port.on("message", (message: WorkerRequest | "end") => {
    if (message === "end") {
      context[Symbol.dispose]();
      port.close();
      return;
    }
    port.postMessage(perform(context, message));
  });
}

function perform(context: WorkerContext, { id, operation, argument }: WorkerRequest): WorkerAnswer {
  try {
    const run = operations[operation] as (context: WorkerContext, argument: unknown) => unknown;
    return { id, result: run(context, argument) };
  } catch (error) {
    return { id, error: toWire(error) };
  }
}

if (parentPort === null) throw new Internal("this file is a worker thread's");
serve(parentPort);
