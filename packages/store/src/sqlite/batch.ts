import { type MessagePort, parentPort, type Worker } from "node:worker_threads";
import { Internal, type PostedError, postedError, Unavailable } from "@boxship/base";

/** What goes between the threads: whatever waits at one time travels together, both ways. */
export interface Request {
  readonly id: number;
  readonly request: unknown;
}

export type Reply =
  | { readonly id: number; readonly reply: unknown }
  | { readonly id: number; readonly error: PostedError };

interface Waiting {
  readonly resolve: (reply: never) => void;
  readonly reject: (error: unknown) => void;
  /** Is told the reply before whoever waits, in the order of the replies. */
  readonly observe: ((reply: never) => void) | undefined;
}

/** The near side of a thread that answers requests in batches. The thread keeps the process alive while one waits. */
export class BatchClient implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #name: string;
  readonly #waiting = new Map<number, Waiting>();
  #outgoing: Request[] = [];
  #next = 1;
  #failure: unknown;
  #ended = false;

  constructor(worker: Worker, name: string) {
    this.#worker = worker;
    this.#name = name;
    worker.on("message", (replies: readonly Reply[]) => this.#receive(replies));
    worker.on("error", (error) => (this.#failure = error));
    worker.on("exit", () => this.#end(new Internal(`the ${name} thread ended unexpectedly`, { cause: this.#failure })));
    worker.unref();
  }

  /** @param observe is told the reply first, before any later reply is looked at */
  send<R>(request: unknown, observe?: (reply: R) => void): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      if (this.#ended) {
        reject(new Unavailable(`the ${this.#name} is closed`));
        return;
      }
      if (this.#waiting.size === 0) this.#worker.ref();
      const id = this.#next++;
      this.#waiting.set(id, { resolve, reject, observe });
      this.#outgoing.push({ id, request });
      if (this.#outgoing.length === 1) queueMicrotask(() => this.#flush());
    });
  }

  #flush(): void {
    const batch = this.#outgoing;
    this.#outgoing = [];
    if (!this.#ended) this.#worker.postMessage(batch, []);
  }

  #receive(replies: readonly Reply[]): void {
    for (const reply of replies) {
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if (waiting === undefined) continue;
      if ("error" in reply) waiting.reject(postedError(reply.error));
      else {
        waiting.observe?.(reply.reply as never);
        waiting.resolve(reply.reply as never);
      }
    }
    if (this.#waiting.size === 0) this.#worker.unref();
  }

  #end(error: unknown): void {
    this.#ended = true;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  /** Waits for nothing that was asked: what has not been answered fails with `Unavailable`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end(new Unavailable(`the ${this.#name} is closed`));
    await this.#worker.terminate();
  }
}

/**
 * The thread's side: collects what has arrived, has it answered, and sends the answers.
 *
 * @param answer one reply for each request, in their order
 * @param idle is called when nothing waits, again and again while it returns true: work that can wait, in small steps
 */
export function serveBatches(
  answer: (requests: readonly Request[]) => readonly Reply[],
  idle: () => boolean = () => false,
): void {
  const port = parentPort as MessagePort;
  let arrived: Request[] = [];
  let scheduled = false;
  const schedule = (): void => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(run);
  };
  const run = (): void => {
    scheduled = false;
    const batch = arrived;
    arrived = [];
    if (batch.length > 0) port.postMessage(answer(batch));
    else if (!idle()) return;
    schedule();
  };
  port.on("message", (batch: readonly Request[]) => {
    arrived.push(...batch);
    schedule();
  });
}
