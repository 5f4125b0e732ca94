import { availableParallelism } from "node:os";
import { type MessagePort, parentPort, type Transferable, type Worker } from "node:worker_threads";
import { startWorker } from "./entry.ts";
import {
  BoxshipError,
  type ErrorCode,
  type ErrorSubject,
  errorClasses,
  errorMessage,
  Internal,
  systemCode,
} from "./errors.ts";

/** An error of the closed set in a form that can be posted between threads. */
export interface PostedError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly stack: string | undefined;
  readonly subject: ErrorSubject | undefined;
  readonly remedy: string | undefined;
  readonly cause: { readonly message: string; readonly code: string | undefined } | undefined;
}

/** Anything thrown, ready to be posted; what is not of the closed set becomes `Internal`. */
export function postableError(thrown: unknown): PostedError {
  const known = thrown instanceof BoxshipError;
  const cause = known ? thrown.cause : thrown;
  return {
    code: known ? thrown.code : "Internal",
    message: errorMessage(thrown),
    stack: thrown instanceof Error ? thrown.stack : undefined,
    subject: known ? thrown.subject : undefined,
    remedy: known ? thrown.remedy : undefined,
    cause: cause === undefined ? undefined : { message: errorMessage(cause), code: systemCode(cause) },
  };
}

/** The error of {@link postableError}, as its own class again. */
export function postedError(posted: PostedError): BoxshipError {
  const { code, message, stack, subject, remedy, cause } = posted;
  const error = new errorClasses[code](message, {
    ...(subject === undefined ? {} : { subject }),
    ...(remedy === undefined ? {} : { remedy }),
    ...(cause === undefined ? {} : { cause: Object.assign(new Error(cause.message), { code: cause.code }) }),
  });
  if (stack !== undefined) error.stack = stack;
  return error;
}

export interface WorkerPoolOptions {
  /** The worker's name for {@link startWorker}. */
  readonly name: string;
  /** The worker's file; it calls {@link serveTasks}. */
  readonly source: URL;
  /** @default the number of processors */
  readonly workers?: number;
  /** Tasks that one worker has in hand at once; more than one only helps tasks that wait. @default 1 */
  readonly tasksPerWorker?: number;
  /** How long a worker without tasks lives on. @default 3000 */
  readonly idleMilliseconds?: number;
}

export interface TaskOptions {
  /** Asks the task to stop. The promise rejects with the signal's reason once it has stopped. */
  readonly signal?: AbortSignal | undefined;
  /** Receives what the task reports meanwhile. */
  readonly onProgress?: ((message: unknown) => void) | undefined;
  readonly transfer?: readonly Transferable[];
}

interface Task {
  readonly id: number;
  readonly request: unknown;
  readonly options: TaskOptions;
  readonly cancelFlag: Int32Array;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

interface Member {
  readonly worker: Worker;
  readonly tasks: Map<number, Task>;
  idleTimer: NodeJS.Timeout | undefined;
}

interface ToWorker {
  readonly id: number;
  readonly request: unknown;
  readonly cancel: SharedArrayBuffer;
}

type FromWorker =
  | { readonly id: number; readonly progress: unknown }
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: PostedError };

/**
 * A few worker threads that are started when there is work, share it, and end by themselves when there has been none
 * for a while. Idle workers do not keep the process alive.
 */
export class WorkerPool implements AsyncDisposable {
  readonly #options: Required<WorkerPoolOptions>;
  readonly #members = new Set<Member>();
  /** Told to end and not gone yet: nothing is given to them any more. */
  readonly #leaving = new Set<Member>();
  readonly #queue: Task[] = [];
  #nextId = 1;

  constructor(options: WorkerPoolOptions) {
    this.#options = { workers: availableParallelism(), tasksPerWorker: 1, idleMilliseconds: 3000, ...options };
  }

  /** How many workers are alive. */
  get size(): number {
    return this.#members.size;
  }

  /** Runs one task. Errors of the closed set keep their class across the threads. */
  run<Result>(request: unknown, options: TaskOptions = {}): Promise<Result> {
    const { signal } = options;
    return new Promise<Result>((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const cancelFlag = new Int32Array(new SharedArrayBuffer(4));
      const onAbort = () => this.#cancel(task);
      const settle =
        <T>(finish: (value: T) => void) =>
        (value: T) => {
          signal?.removeEventListener("abort", onAbort);
          finish(value);
        };
      const task: Task = {
        id: this.#nextId++,
        request,
        options,
        cancelFlag,
        resolve: settle((result) => resolve(result as Result)),
        reject: settle((error) => reject(signal?.aborted ? signal.reason : error)),
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#queue.push(task);
      this.#dispatch();
    });
  }

  /** Waits for no one: ends the workers; unfinished tasks fail with `Internal`. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const task of this.#queue.splice(0)) task.reject(new Internal(`the ${this.#options.name} workers were ended`));
    await Promise.all([...this.#members, ...this.#leaving].map(({ worker }) => worker.terminate()));
  }

  #cancel(task: Task): void {
    const waiting = this.#queue.indexOf(task);
    if (waiting === -1) {
      Atomics.store(task.cancelFlag, 0, 1);
      Atomics.notify(task.cancelFlag, 0);
    } else {
      this.#queue.splice(waiting, 1);
      task.reject(undefined);
    }
  }

  #dispatch(): void {
    for (let task = this.#queue[0]; task !== undefined; task = this.#queue[0]) {
      const member = this.#freeMember();
      if (member === undefined) return;
      this.#queue.shift();
      this.#give(member, task);
    }
  }

  /** The least busy worker with room; a new one rather than a second task for a busy one. */
  #freeMember(): Member | undefined {
    let best: Member | undefined;
    for (const member of this.#members) if (best === undefined || member.tasks.size < best.tasks.size) best = member;
    if (best !== undefined && best.tasks.size === 0) return best;
    if (this.#members.size < this.#options.workers) return this.#start();
    return best !== undefined && best.tasks.size < this.#options.tasksPerWorker ? best : undefined;
  }

  #give(member: Member, task: Task): void {
    clearTimeout(member.idleTimer);
    member.tasks.set(task.id, task);
    member.worker.ref();
    const message: ToWorker = {
      id: task.id,
      request: task.request,
      cancel: task.cancelFlag.buffer as SharedArrayBuffer,
    };
    member.worker.postMessage(message, [...(task.options.transfer ?? [])]);
  }

  #start(): Member {
    const { name, source } = this.#options;
    const member: Member = { worker: startWorker(name, source), tasks: new Map(), idleTimer: undefined };
    this.#members.add(member);
    let failure: unknown;
    member.worker.on("message", (message: FromWorker) => this.#onMessage(member, message));
    member.worker.on("error", (error) => {
      failure = error;
    });
    member.worker.on("exit", (code) => {
      clearTimeout(member.idleTimer);
      this.#members.delete(member);
      this.#leaving.delete(member);
      const error = new Internal(`the ${name} worker ended unexpectedly with status ${code}`, { cause: failure });
      for (const task of member.tasks.values()) task.reject(error);
      this.#dispatch();
    });
    return member;
  }

  #onMessage(member: Member, message: FromWorker): void {
    const task = member.tasks.get(message.id);
    if (task === undefined) return;
    if ("progress" in message) {
      task.options.onProgress?.(message.progress);
      return;
    }
    member.tasks.delete(message.id);
    if ("error" in message) task.reject(postedError(message.error));
    else task.resolve(message.result);
    this.#dispatch();
    if (member.tasks.size > 0) return;
    member.worker.unref();
    member.idleTimer = setTimeout(() => this.#dismiss(member), this.#options.idleMilliseconds);
    member.idleTimer.unref();
  }

  #dismiss(member: Member): void {
    this.#members.delete(member);
    this.#leaving.add(member);
    void member.worker.terminate();
  }
}

/** What a task can do besides returning a result. */
export interface TaskContext {
  /** Set to 1, with a notification, when the task should stop: for `Atomics.wait` and its like. */
  readonly cancelFlag: Int32Array;
  /** Whether the task should stop. */
  readonly cancelled: boolean;
  /** Throws when the task should stop. What it throws never reaches a caller. */
  throwIfCancelled(): void;
  /** Reports to the caller's `onProgress`. */
  progress(message: unknown, transfer?: readonly Transferable[]): void;
}

/** The worker's side of a {@link WorkerPool}: runs `handler` for each task. Call once, at the top of the worker's file. */
export function serveTasks(handler: (request: never, context: TaskContext) => unknown): void {
  const port = parentPort;
  if (port === null) throw new Internal("tasks can only be served in a worker thread");
  port.on("message", ({ id, request, cancel }: ToWorker) => {
    const cancelFlag = new Int32Array(cancel);
    const context: TaskContext = {
      cancelFlag,
      get cancelled() {
        return Atomics.load(cancelFlag, 0) === 1;
      },
      throwIfCancelled() {
        if (Atomics.load(cancelFlag, 0) === 1) throw new Internal("the task was cancelled");
      },
      progress: (message, transfer = []) => port.postMessage({ id, progress: message }, [...transfer]),
    };
    void runTask(port, id, () => handler(request as never, context));
  });
}

async function runTask(port: MessagePort, id: number, task: () => unknown): Promise<void> {
  try {
    port.postMessage({ id, result: await task() });
  } catch (error) {
    port.postMessage({ id, error: postableError(error) });
  }
}
