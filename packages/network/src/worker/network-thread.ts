import type { Worker } from "node:worker_threads";
import { type Clock, Internal, startWorker, type Timer, Unavailable } from "@boxship/base";
import type { WorkerAnswer, WorkerRequest } from "./network-worker.ts";
import type { OperationArgument, OperationName, OperationResult } from "./operations.ts";
import { fromWire } from "./wire-error.ts";

interface Call {
  readonly request: WorkerRequest;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

export interface NetworkThreadOptions {
  readonly clock: Clock;
  /** Milliseconds without work after which the thread ends. */
  readonly idle: number;
}

/** Enough that the thread never waits for the main thread between two calls. */
const IN_FLIGHT = 2;

/**
 * The thread for system calls that may wait: for the kernel's routing lock, above all. Started by the first call, ended
 * when idle. Calls run in order, those of the background when nobody else waits.
 */
export class NetworkThread implements AsyncDisposable {
  readonly #options: NetworkThreadOptions;
  readonly #queue: Call[] = [];
  readonly #background: Call[] = [];
  readonly #inFlight = new Map<number, Call>();
  #worker: Worker | undefined;
  #ending: Promise<unknown> = Promise.resolve();
  #idleTimer: Timer | undefined;
  #nextId = 1;
  #closed = false;
  #drained: (() => void) | undefined;

  constructor(options: NetworkThreadOptions) {
    this.#options = options;
  }

  /** Starts the thread, if it is not running, so that the next call need not wait for it. */
  warm(): void {
    if (this.#closed) return;
    this.#start();
    this.#rest();
  }

  /**
   * Performs an operation. Rejects with what it threw, and with Unavailable once the thread is being disposed of.
   *
   * @param priority `background` waits until there is nothing else to do. @default "normal"
   */
  call<Name extends OperationName>(
    operation: Name,
    argument: OperationArgument<Name>,
    priority: "normal" | "background" = "normal",
  ): Promise<OperationResult<Name>> {
    if (this.#closed) return Promise.reject(new Unavailable("the networks of this instance are closed"));
    return new Promise((resolve, reject) => {
      const request = { id: this.#nextId++, operation, argument };
      const call: Call = { request, resolve: resolve as (result: unknown) => void, reject };
      (priority === "normal" ? this.#queue : this.#background).push(call);
      this.#pump();
    });
  }

  /** Ends the thread when everything that was asked of it is done. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    if (this.#inFlight.size > 0) await new Promise<void>((resolve) => (this.#drained = resolve));
    this.#end();
    await this.#ending;
  }

  #pump(): void {
    this.#idleTimer?.[Symbol.dispose]();
    this.#idleTimer = undefined;
    while (this.#inFlight.size < IN_FLIGHT) {
      const call = this.#queue.shift() ?? (this.#inFlight.size === 0 ? this.#background.shift() : undefined);
      if (call === undefined) break;
      const worker = this.#start();
      this.#inFlight.set(call.request.id, call);
      worker.ref();
      worker.postMessage(call.request, []);
    }
    if (this.#inFlight.size > 0) return;
    this.#drained?.();
    this.#rest();
  }

  #start(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = startWorker("network", new URL("./network-worker.ts", import.meta.url));
    worker.on("message", (answer: WorkerAnswer) => this.#settle(answer));
    worker.on("error", (error) => this.#fail(worker, error instanceof Error ? error : new Internal(String(error))));
    this.#ending = new Promise((resolve) => {
      worker.on("exit", () => {
        this.#fail(worker, new Internal("the network thread ended unexpectedly"));
        resolve(undefined);
      });
    });
    worker.unref();
    this.#worker = worker;
    return worker;
  }

  #settle(answer: WorkerAnswer): void {
    const call = this.#inFlight.get(answer.id);
    if (call === undefined) return;
    this.#inFlight.delete(answer.id);
    if ("error" in answer) call.reject(fromWire(answer.error));
    else call.resolve(answer.result);
    this.#pump();
  }

  /** Nothing in flight: the process may end, and after a while so does the thread. */
  #rest(): void {
    const worker = this.#worker;
    if (worker === undefined) return;
    worker.unref();
    this.#idleTimer?.[Symbol.dispose]();
    this.#idleTimer = this.#options.clock.setTimeout(this.#options.idle, () => this.#end());
  }

  #end(): void {
    this.#idleTimer?.[Symbol.dispose]();
    this.#idleTimer = undefined;
    const worker = this.#worker;
    this.#worker = undefined;
    worker?.ref();
    worker?.postMessage("end", []);
  }

  #fail(worker: Worker, error: Error): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    const lost = [...this.#inFlight.values()];
    this.#inFlight.clear();
    for (const call of lost) call.reject(error);
    if (this.#queue.length > 0 || this.#background.length > 0) this.#pump();
  }
}
