import { Failure } from "../failure.ts";

/** The head of an HTTP/1.1 response. */
export interface ResponseHead {
  readonly status: number;
  /** By lower-case name; of a repeated header the last value. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What a {@link ResponseParser} finds, in order: one head, pieces of the body, the end. */
export interface ResponseEvents {
  head(head: ResponseHead): void;
  data(piece: Buffer): void;
  /** The body is complete. @param reusable whether another response may follow on the same connection */
  end(reusable: boolean): void;
}

/** A head, or the size line of a chunk, that is longer than any engine sends. */
const MAX_LINES_BYTES = 1 << 20;

type State = "head" | "length" | "chunk-size" | "chunk" | "chunk-end" | "trailer" | "until-close" | "raw" | "done";

/**
 * Reads one HTTP/1.1 response from bytes as they arrive: with a length, in chunks, or up to the end of the connection.
 * After a 101, or when the caller asked for the raw connection, everything is handed on as it is (state `raw`).
 */
export class ResponseParser {
  readonly #events: ResponseEvents;
  readonly #bodiless: boolean;
  #state: State = "head";
  #pending: Buffer = Buffer.alloc(0);
  #left = 0;
  #reusable = true;

  /** @param bodiless the request was a HEAD: no body follows, whatever the headers say */
  constructor(events: ResponseEvents, bodiless: boolean) {
    this.#events = events;
    this.#bodiless = bodiless;
  }

  /** Bytes after the head of an upgraded connection. */
  takeRest(): Buffer {
    const rest = this.#pending;
    this.#pending = Buffer.alloc(0);
    return rest;
  }

  get isDone(): boolean {
    return this.#state === "done";
  }

  /** @throws Failure for bytes that are no HTTP response */
  push(chunk: Buffer): void {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    while (this.#step());
  }

  /** The connection ended. @throws Failure when that was too early */
  close(): void {
    if (this.#state === "until-close") this.#finish(false);
    else if (this.#state !== "done" && this.#state !== "raw") {
      throw new Failure("the engine closed the connection before its answer was complete");
    }
  }

  /** One step forward; false when more bytes are needed. */
  #step(): boolean {
    switch (this.#state) {
      case "head":
        return this.#readHead();
      case "length":
      case "chunk":
        return this.#readPiece();
      case "chunk-size":
        return this.#readChunkSize();
      case "chunk-end":
        return this.#readLine() !== undefined && this.#go("chunk-size");
      case "trailer":
        return this.#readTrailer();
      case "until-close":
        return this.#readAll();
      case "raw":
      case "done":
        return false;
    }
  }

  #go(state: State): true {
    this.#state = state;
    return true;
  }

  #finish(reusable: boolean): true {
    this.#state = "done";
    this.#events.end(reusable);
    return true;
  }

  /** A line without its end; undefined when it is not complete yet. */
  #readLine(): string | undefined {
    const end = this.#pending.indexOf("\r\n");
    if (end < 0) {
      if (this.#pending.length > MAX_LINES_BYTES) throw new Failure("the engine's answer is no HTTP response");
      return undefined;
    }
    const line = this.#pending.toString("latin1", 0, end);
    this.#pending = this.#pending.subarray(end + 2);
    return line;
  }

  #readHead(): boolean {
    const end = this.#pending.indexOf("\r\n\r\n");
    if (end < 0) {
      const isHttp = this.#pending
        .toString("latin1", 0, 5)
        .startsWith("HTTP/".slice(0, Math.min(5, this.#pending.length)));
      if (!isHttp || this.#pending.length > MAX_LINES_BYTES)
        throw new Failure("the engine's answer is no HTTP response");
      return false;
    }
    const [first = "", ...lines] = this.#pending.toString("latin1", 0, end).split("\r\n");
    this.#pending = this.#pending.subarray(end + 4);
    const match = /^HTTP\/1\.[01] (\d{3})/.exec(first);
    if (match === null) throw new Failure("the engine's answer is no HTTP response");
    const status = Number(match[1]);
    const headers: Record<string, string> = {};
    for (const line of lines) {
      const colon = line.indexOf(":");
      if (colon > 0) headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    // An interim answer: the real one follows.
    if (status >= 100 && status < 200 && status !== 101) return true;
    this.#reusable = headers["connection"]?.toLowerCase() !== "close";
    this.#state = this.#bodyState(status, headers);
    this.#events.head({ status, headers });
    return this.#state === "length" && this.#left === 0 ? this.#finish(this.#reusable) : true;
  }

  #bodyState(status: number, headers: Readonly<Record<string, string>>): State {
    if (status === 101) return "raw";
    this.#left = 0;
    if (this.#bodiless || status === 204 || status === 304) return "length";
    if (/\bchunked\b/i.test(headers["transfer-encoding"] ?? "")) return "chunk-size";
    const length = headers["content-length"];
    if (length === undefined) return "until-close";
    this.#left = Number(length);
    return "length";
  }

  #readPiece(): boolean {
    if (this.#pending.length === 0) return false;
    const piece = this.#pending.subarray(0, this.#left);
    this.#pending = this.#pending.subarray(piece.length);
    this.#left -= piece.length;
    this.#events.data(piece);
    if (this.#left > 0) return false;
    return this.#state === "chunk" ? this.#go("chunk-end") : this.#finish(this.#reusable);
  }

  #readChunkSize(): boolean {
    const line = this.#readLine();
    if (line === undefined) return false;
    const size = /^([0-9a-fA-F]{1,12})\s*(;|$)/.exec(line)?.[1];
    if (size === undefined) throw new Failure("the engine's answer is malformed: bad chunk size");
    this.#left = Number.parseInt(size, 16);
    return this.#go(this.#left === 0 ? "trailer" : "chunk");
  }

  #readTrailer(): boolean {
    const line = this.#readLine();
    if (line === undefined) return false;
    return line === "" ? this.#finish(this.#reusable) : true;
  }

  #readAll(): boolean {
    const piece = this.takeRest();
    if (piece.length > 0) this.#events.data(piece);
    return false;
  }
}
