import { closeSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { ResourceExhausted } from "@boxship/base/errors";
import { diskError } from "../content-store/disk-error.ts";
import { Digester } from "../digest.ts";
import { BlobProgress } from "../layer/blob-source.ts";
import { SpentPieces } from "./body.ts";
import { type HttpConnections, type HttpResponse, NetworkFailure } from "./http.ts";
import { relay } from "./relay.ts";
import { describeFailure, type ExchangeFailure, noReply, shortfall, smallReply, startOfBody } from "./small-reply.ts";
import type {
  RelayReply,
  TransferReply,
  TransferRequest,
  TransferTask,
  UploadReply,
  UploadRequest,
} from "./transfer.ts";

const REHASH_SIZE = 1024 * 1024;
const PROGRESS_EVERY_MS = 100;

export interface TransferContext {
  readonly connections: HttpConnections;
  readonly signal: AbortSignal;
  /** Hears how many bytes of the blob are there. */
  readonly progress: (written: number) => void;
}

/** Makes one exchange in this thread, which is hashing and waiting for the disk meanwhile. */
export function performTransfer(
  task: TransferTask,
  context: TransferContext,
): Promise<TransferReply | UploadReply | RelayReply> {
  if (task.kind === "upload") return upload(task, context);
  return task.kind === "relay" ? relay(context.connections, task, context.signal) : download(task, context);
}

async function upload(request: UploadRequest, context: TransferContext): Promise<UploadReply> {
  const { http, path, start, end } = request;
  const { connections, signal } = context;
  let reported = performance.now();
  const onRead = (bytes: number) => {
    const now = performance.now();
    if (now - reported < PROGRESS_EVERY_MS) return;
    reported = now;
    context.progress(start + bytes);
  };
  try {
    const response = await connections.send({ ...http, body: { path, start, end, onRead } }, signal);
    return await smallReply(response);
  } catch (error) {
    return noReply(error);
  }
}

async function download(request: TransferRequest, context: TransferContext): Promise<TransferReply> {
  const { http, offset } = request;
  const { connections, signal } = context;
  if (offset === request.size) return nothingLeft(request);
  let response: HttpResponse;
  try {
    const headers = offset === 0 ? http.headers : { ...http.headers, range: `bytes=${offset}-` };
    response = await connections.send({ ...http, headers }, signal);
  } catch (error) {
    return { ...noReply(error), written: offset };
  }
  if (response.status === 200 || response.status === 206) return receive(request, response, context);
  return { ...(await smallReply(response)), written: offset };
}

/** Everything is there already, from a try that ended before it was verified. */
function nothingLeft(request: TransferRequest): TransferReply {
  const file = new HashedFile(request, request.offset);
  try {
    return { status: 206, headers: {}, body: new Uint8Array(), written: file.written, digest: file.digest() };
  } finally {
    file.close();
  }
}

async function receive(
  request: TransferRequest,
  response: HttpResponse,
  context: TransferContext,
): Promise<TransferReply> {
  const { status, headers } = response;
  const body = new Uint8Array();
  const start = startOfBody(request, response);
  if (typeof start !== "number") {
    response.body.destroy();
    return { status, headers, body, written: request.offset, failure: start };
  }
  const file = new HashedFile(request, start);
  try {
    const failure = await drain(file, response, context);
    const reply = { status, headers, body, written: file.written };
    if (failure !== undefined) return { ...reply, failure };
    return { ...reply, digest: file.digest() };
  } finally {
    file.close();
  }
}

/** Writes the body as it comes. Whatever ends it early is returned, except failures of our own disk. */
async function drain(
  file: HashedFile,
  response: HttpResponse,
  context: TransferContext,
): Promise<ExchangeFailure | undefined> {
  let reported = performance.now();
  const spent = new SpentPieces();
  const { promise, resolve, reject } = Promise.withResolvers<ExchangeFailure | undefined>();
  response.body.on("data", (chunk: Buffer) => {
    try {
      file.append(chunk);
      spent.add(chunk);
    } catch (error) {
      response.body.destroy();
      if (error instanceof NetworkFailure) resolve(describeFailure(error));
      else reject(error);
      return;
    }
    const now = performance.now();
    if (now - reported < PROGRESS_EVERY_MS) return;
    reported = now;
    context.progress(file.written);
  });
  response.body.on("end", () => resolve(shortfall(file.written, file.size)));
  response.body.on("error", (error) => resolve(describeFailure(error)));
  response.body.on("close", () => resolve({ code: "ECONNRESET", message: "the connection was cut" }));
  return promise;
}

/** A file that is hashed as it grows. */
class HashedFile {
  readonly #fd: number;
  readonly #size: number;
  readonly #name: string;
  readonly #digester: Digester;
  readonly #follow: BlobProgress | undefined;
  /** Bytes that a follower may have read already: what is written again below is the same or fails its digest. */
  readonly #final: number;

  constructor(request: TransferRequest, start: number) {
    this.#size = request.size;
    this.#name = request.path;
    this.#digester = new Digester(request.algorithm);
    this.#follow = request.follow === undefined ? undefined : new BlobProgress(request.follow);
    this.#final = request.offset;
    this.#fd = openSync(request.path, "r+");
    try {
      this.#rehash(start);
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  /** Bytes that it is to have. */
  get size(): number {
    return this.#size;
  }

  get written(): number {
    return this.#digester.size;
  }

  append(chunk: Buffer): void {
    if (this.written + chunk.length > this.#size) {
      throw new NetworkFailure("ESIZE", `the server sent more than ${this.#size} bytes`);
    }
    try {
      for (let done = 0; done < chunk.length; ) {
        done += writeSync(this.#fd, chunk, done, chunk.length - done, this.written + done);
      }
    } catch (error) {
      throw diskError(error, this.#name);
    }
    this.#digester.update(chunk);
    if (this.written > this.#final) this.#follow?.advance(this.written);
  }

  digest() {
    return this.#digester.digest();
  }

  /** Cuts off what an earlier try may have left behind the end. */
  close(): void {
    try {
      ftruncateSync(this.#fd, this.written);
    } finally {
      closeSync(this.#fd);
    }
  }

  #rehash(end: number): void {
    const buffer = Buffer.allocUnsafe(REHASH_SIZE);
    while (this.written < end) {
      const length = readSync(this.#fd, buffer, 0, Math.min(REHASH_SIZE, end - this.written), this.written);
      if (length === 0) throw new ResourceExhausted(`${this.#name} is shorter than ${end} bytes`);
      this.#digester.update(buffer.subarray(0, length));
    }
  }
}
