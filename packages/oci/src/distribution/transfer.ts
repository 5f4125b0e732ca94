import { asBoxshipError, WorkerPool } from "@boxship/base";
import type { Digest, DigestAlgorithm } from "../digest.ts";
import type { Reply } from "./failures.ts";
import { HttpConnections, type HttpRequest } from "./http.ts";
import { performTransfer } from "./perform-transfer.ts";
import type { ExchangeFailure } from "./small-reply.ts";

/**
 * Downloads and uploads of blobs, in worker threads: what arrives is hashed and written there, and the main thread only
 * hears how far it came; or, in a program that does nothing else, in the main thread, too.
 */
export interface TransferRequest {
  readonly kind: "download";
  readonly http: HttpRequest;
  /** File that is appended to. */
  readonly path: string;
  /** Bytes that the file holds already; asked for with `Range`. */
  readonly offset: number;
  /** Bytes that the file is to hold in the end. */
  readonly size: number;
  readonly algorithm: DigestAlgorithm;
  /** Told how much of the file is final, for a reader that follows it: the buffer of a `BlobProgress`. */
  readonly follow?: SharedArrayBuffer | undefined;
}

export interface TransferReply extends Reply {
  /** Bytes that the file holds now. */
  readonly written: number;
  /** Of the whole file, when it reached its size. */
  readonly digest?: Digest;
  /** Why it ended early. */
  readonly failure?: ExchangeFailure;
}

/** An exchange whose body is part of a file. */
export interface UploadRequest {
  readonly kind: "upload";
  /** Without a body. */
  readonly http: HttpRequest;
  readonly path: string;
  readonly start: number;
  /** Behind the last byte. */
  readonly end: number;
}

export interface UploadReply extends Reply {
  /** Why there is no answer. */
  readonly failure?: ExchangeFailure;
}

/** A download whose content goes on to another server at once; the download answers first. */
export interface RelayRequest {
  readonly kind: "relay";
  readonly from: HttpRequest;
  /** Without a body. */
  readonly to: HttpRequest;
  /** Bytes that are there already: the rest is sent. */
  readonly offset: number;
  readonly size: number;
  /** What all of it must be; a rest is left to the receiver to judge. */
  readonly digest: Digest;
}

/** What the server said that the content came from, or was to come from. */
export interface RelayReply extends Reply {
  /** What the server said that it went to; absent when nothing was sent. */
  readonly upload?: UploadReply;
  /** Why no more of it came, or that it was not what it should be. */
  readonly failure?: ExchangeFailure;
}

export type TransferTask = TransferRequest | UploadRequest | RelayRequest;

/** What a transfer reports meanwhile. */
export interface TransferProgress {
  readonly written: number;
}

export interface TransferOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((written: number) => void) | undefined;
}

const TRANSFERS_PER_WORKER = 64;
/** What this thread takes before another one is started: that costs 20 ms of a processor. */
const WORTH_A_THREAD = 4 * 1024 * 1024;

export interface TransfersOptions {
  /** Threads among which blobs are shared. */
  readonly threads: number;
  /** The calling thread is one of them. */
  readonly here: boolean;
}

export class Transfers implements AsyncDisposable {
  readonly #pool: WorkerPool;
  readonly #workers: number;
  /** Of the calling thread, if it is one of them. */
  readonly #connections: HttpConnections | undefined;
  /** Bytes that are on their way in this thread, and in all others. */
  readonly #underWay = { here: 0, elsewhere: 0 };

  constructor({ threads, here }: TransfersOptions) {
    this.#workers = here ? threads - 1 : threads;
    this.#connections = here ? new HttpConnections() : undefined;
    this.#pool = new WorkerPool({
      name: "transfer",
      source: new URL("./transfer-worker.ts", import.meta.url),
      workers: this.#workers,
      tasksPerWorker: TRANSFERS_PER_WORKER,
    });
  }

  /**
   * Runs one exchange whose successful body goes to a file.
   *
   * Resolves for every answer of the server and for a failure of the network; rejects when the file cannot be written.
   */
  run(request: TransferRequest, options: TransferOptions = {}): Promise<TransferReply> {
    return this.#perform(request, request.size - request.offset, options);
  }

  /** Runs one exchange that sends part of a file. Resolves for every answer of the server and for failures. */
  send(request: UploadRequest, options: TransferOptions = {}): Promise<UploadReply> {
    return this.#perform(request, request.end - request.start, options);
  }

  /** Runs two exchanges, the body of one being that of the other. Resolves for all answers and failures. */
  relay(request: RelayRequest, signal: AbortSignal | undefined): Promise<RelayReply> {
    return this.#perform(request, request.size - request.offset, { signal });
  }

  async #perform<Result>(task: TransferTask, bytes: number, options: TransferOptions): Promise<Result> {
    const connections = this.#connectionsFor(bytes);
    const place = connections === undefined ? "elsewhere" : "here";
    this.#underWay[place] += bytes;
    try {
      if (connections !== undefined) return (await performHere(task, connections, options)) as Result;
      const { signal, onProgress } = options;
      return await this.#pool.run<Result>(task, {
        signal,
        onProgress: onProgress && ((message) => onProgress((message as TransferProgress).written)),
      });
    } finally {
      this.#underWay[place] -= bytes;
    }
  }

  /** Those of this thread, if it has less to do than the others. */
  #connectionsFor(bytes: number): HttpConnections | undefined {
    const { here, elsewhere } = this.#underWay;
    const limit = this.#pool.size === 0 ? Math.max(0, WORTH_A_THREAD - bytes) : elsewhere / this.#workers;
    return this.#workers === 0 || here <= limit ? this.#connections : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connections?.[Symbol.dispose]();
    await this.#pool[Symbol.asyncDispose]();
  }
}

async function performHere(
  task: TransferTask,
  connections: HttpConnections,
  { signal = new AbortController().signal, onProgress }: TransferOptions,
): Promise<unknown> {
  signal.throwIfAborted();
  try {
    return await performTransfer(task, { connections, signal, progress: (written) => onProgress?.(written) });
  } catch (error) {
    throw asBoxshipError(error);
  }
}
