import type { ClientRequest } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { Digester, digestAlgorithm } from "../digest.ts";
import { releaseBytes } from "../layer/release-bytes.ts";
import { isTransientFailure } from "./failures.ts";
import { type HttpConnections, type HttpResponse, NetworkFailure, type StreamedContent } from "./http.ts";
import { describeFailure, type ExchangeFailure, noReply, shortfall, smallReply, startOfBody } from "./small-reply.ts";
import type { RelayReply, RelayRequest, UploadReply } from "./transfer.ts";

/** How often a source that was cut is asked for the rest before the upload is given up, and how long before the second time. */
const MORE_ATTEMPTS = 2;
const PAUSE_MS = 50;

/**
 * Passes a blob on from one server to another while it arrives, without a file. All of it is verified before its last
 * piece is sent: what is wrong never becomes a whole upload. A source that is cut is asked for the rest.
 */
export async function relay(
  connections: HttpConnections,
  request: RelayRequest,
  signal: AbortSignal,
): Promise<RelayReply> {
  const { to, offset, size } = request;
  const ask = (position: number) => askFor(connections, request, position, signal);
  let source: HttpResponse;
  try {
    source = await ask(offset);
  } catch (error) {
    return noReply(error);
  }
  if (source.status !== 200 && source.status !== 206) return smallReply(source);
  const reply = { status: source.status, headers: source.headers, body: new Uint8Array() };
  const start = startOfBody({ offset, size }, source);
  if (typeof start !== "number") {
    source.body.destroy();
    return { ...reply, failure: start };
  }
  const passage = new Passage(request, ask, source, start);
  let upload: UploadReply;
  try {
    upload = await smallReply(await connections.send({ ...to, body: passage }, signal));
  } catch (error) {
    upload = noReply(error);
  }
  return { ...reply, upload, ...(passage.failure !== undefined && { failure: passage.failure }) };
}

function askFor(
  connections: HttpConnections,
  { from }: RelayRequest,
  position: number,
  signal: AbortSignal,
): Promise<HttpResponse> {
  const headers = position === 0 ? from.headers : { ...from.headers, range: `bytes=${position}-` };
  return connections.send({ ...from, headers }, signal);
}

/** The rest of a blob on its way from an answer into a request. */
class Passage implements StreamedContent {
  readonly length: number;
  /** What was wrong with the source. */
  failure: ExchangeFailure | undefined;
  readonly #request: RelayRequest;
  readonly #ask: (position: number) => Promise<HttpResponse>;
  readonly #digester: Digester;
  /** Where the bytes begin of which the digest is made. */
  readonly #start: number;
  #source: HttpResponse;
  /** Where the source's next byte belongs. */
  #position: number;
  #attempts = MORE_ATTEMPTS;
  #outgoing: ClientRequest | undefined;
  /** Sent when more follows, or when all of it was verified. */
  #held: Buffer | undefined;
  #ended = false;

  constructor(
    request: RelayRequest,
    ask: (position: number) => Promise<HttpResponse>,
    source: HttpResponse,
    start: number,
  ) {
    this.length = request.size - request.offset;
    this.#request = request;
    this.#ask = ask;
    this.#source = source;
    this.#start = start;
    this.#position = start;
    this.#digester = new Digester(digestAlgorithm(request.digest));
  }

  pump(outgoing: ClientRequest): void {
    this.#outgoing = outgoing;
    outgoing.on("drain", () => this.#source.body.resume());
    outgoing.on("response", (response) => {
      if (this.#ended) return;
      // A server that answers before it has everything closes the connection, which must not be used again.
      this.#stop();
      response.once("end", () => outgoing.destroy());
    });
    outgoing.on("close", () => this.#stop());
    this.#receive(this.#source);
  }

  #stop(): void {
    this.#ended = true;
    this.#source.body.destroy();
  }

  #receive(source: HttpResponse): void {
    const { body } = source;
    let over = false;
    const cut = (failure: ExchangeFailure) => {
      if (over || this.#ended) return;
      over = true;
      void this.#goOn(failure);
    };
    body.on("data", (piece: Buffer) => this.#take(piece));
    body.on("end", () => {
      const short = shortfall(this.#position, this.#request.size);
      if (short !== undefined) cut(short);
      else if (!over && !this.#ended) this.#finish();
    });
    body.on("error", (error) => cut(describeFailure(error)));
    body.on("close", () => cut({ code: "ECONNRESET", message: "the connection was cut" }));
  }

  /** Bytes of the blob that came, or were there before. */
  get #received(): number {
    return this.#start + this.#digester.size;
  }

  #take(piece: Buffer): void {
    if (this.#ended) return;
    const { offset, size } = this.#request;
    const { fresh, wanted } = this.#split(piece, offset);
    if (this.#position > size) {
      this.#fail({ code: "ESIZE", message: `the server sent more than ${size} bytes` });
      return;
    }
    this.#digester.update(fresh);
    if (wanted.length === 0) return;
    this.#attempts = MORE_ATTEMPTS;
    this.#pass();
    this.#held = wanted;
  }

  /** Sends what is held; its memory serves for pieces to come when it is on its way. */
  #pass(): void {
    const piece = this.#held;
    if (piece === undefined) return;
    const goesOn = this.#outgoing?.write(piece, (error) => {
      if (!error) releaseBytes(piece);
    });
    if (goesOn === false) this.#source.body.pause();
  }

  /** What of a piece is new, and is to be sent: a server without ranges begins at the start again. */
  #split(piece: Buffer, offset: number): { fresh: Buffer; wanted: Buffer } {
    const before = this.#position;
    this.#position += piece.length;
    const fresh = before < this.#received ? piece.subarray(this.#received - before) : piece;
    const at = this.#position - fresh.length;
    return { fresh, wanted: at < offset ? fresh.subarray(offset - at) : fresh };
  }

  #finish(): void {
    const { digest } = this.#request;
    // Of a rest no digest is known: the receiver has the whole, and refuses it if it must.
    const actual = this.#start === 0 ? this.#digester.digest() : digest;
    if (actual !== digest) {
      this.#fail({ code: "EDIGEST", message: `what was sent has the digest ${actual}` });
      return;
    }
    this.#ended = true;
    this.#outgoing?.end(this.#held);
  }

  /** The upload waits meanwhile. */
  async #goOn(failure: ExchangeFailure): Promise<void> {
    let last = failure;
    while (isTransientFailure(new NetworkFailure(last.code, last.message)) && this.#attempts > 0) {
      await delay(PAUSE_MS * (MORE_ATTEMPTS - this.#attempts));
      this.#attempts--;
      if (this.#ended) return;
      const next = await this.#another();
      if (next === undefined) return;
      last = next;
    }
    this.#fail(last);
  }

  /** @returns why there is none */
  async #another(): Promise<ExchangeFailure | undefined> {
    const offset = this.#received;
    let source: HttpResponse;
    try {
      source = await this.#ask(offset);
    } catch (error) {
      return describeFailure(error);
    }
    const start =
      source.status === 200 || source.status === 206
        ? startOfBody({ offset, size: this.#request.size }, source)
        : { code: "ECONNRESET", message: `the rest was refused with status ${source.status}` };
    if (typeof start !== "number" || this.#ended) {
      source.body.destroy();
      return typeof start === "number" ? undefined : start;
    }
    this.#source = source;
    this.#position = start;
    this.#receive(source);
    return undefined;
  }

  #fail(failure: ExchangeFailure): void {
    if (this.#ended) return;
    this.failure = failure;
    this.#stop();
    this.#outgoing?.destroy(new NetworkFailure(failure.code, failure.message));
  }
}
