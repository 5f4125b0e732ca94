import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { isObject, type Json, statusOf, textAt } from "@boxship/api";
import { BoxshipError, errorMessage, Unavailable } from "@boxship/base";
import { Connection, type ConnectionOptions, type HttpReply, readJson, readLines } from "@boxship/client";
import type { WebSocket } from "ws";

import { passOn } from "./pass-on.ts";
import { openSpdy, openWebSocket } from "./web-socket.ts";

export interface ApiOptions {
  readonly connection: ConnectionOptions;
  /** Sent with every request. */
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** Milliseconds that an answer may take. @default for ever */
  readonly timeout: number | undefined;
  readonly onWarning: (text: string) => void;
  readonly onRequest: (method: string, path: string, status: number, milliseconds: number) => void;
  readonly signal: AbortSignal | undefined;
}

export interface Query {
  readonly [name: string]: string | number | boolean | undefined;
}

export interface CallOptions {
  readonly query?: Query;
  readonly body?: Json | string | undefined;
  readonly contentType?: string;
  readonly accept?: string;
  /** Ends it. @default the command's */
  readonly signal?: AbortSignal | undefined;
}

const MOST_RETRIES = 10;

/** The API as kubectl needs it: any path, any form of answer, warnings told. */
export class Api implements Disposable {
  readonly server: string;
  readonly #connection: Connection;
  readonly #options: ApiOptions;
  readonly #warned = new Set<string>();

  constructor(options: ApiOptions) {
    this.server = options.connection.server;
    this.#options = options;
    this.#connection = new Connection(options.connection);
  }

  /** Where the server is, as messages name it. */
  get host(): string {
    return new URL(this.server).host;
  }

  async call(method: string, path: string, options: CallOptions = {}): Promise<Json> {
    for (let tries = 0; ; tries++) {
      try {
        return await readJson(await this.open(method, path, options));
      } catch (error) {
        const seconds = error instanceof BoxshipError ? retryAfter(error) : undefined;
        if (seconds === undefined || tries >= MOST_RETRIES) throw error;
        await new Promise((done) => setTimeout(done, seconds * 1000));
      }
    }
  }

  /** The answer before it is read. */
  async open(method: string, path: string, options: CallOptions = {}): Promise<HttpReply> {
    const { body, contentType = "application/json", accept = "application/json" } = options;
    const bytes = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
    const headers = { accept, ...(bytes === undefined ? {} : { "content-type": contentType }) };
    const { timeout } = this.#options;
    const signals = [
      options.signal ?? this.#options.signal,
      timeout === undefined ? undefined : AbortSignal.timeout(timeout),
    ];
    const began = performance.now();
    const given = signals.filter((one) => one !== undefined);
    try {
      const reply = await this.#connection.send({
        method,
        path: `${path}${queryText(options.query)}`,
        headers: { ...(this.#options.headers as Readonly<Record<string, string>>), ...headers },
        body: bytes,
        ...(given.length > 0 && { signal: AbortSignal.any(given) }),
      });
      this.#options.onRequest(method, `${this.server}${path}`, reply.status, performance.now() - began);
      this.#warn(reply.headers["warning"]);
      return reply;
    } catch (error) {
      if (!(error instanceof Error && error.name === "TimeoutError")) throw error;
      throw new Unavailable("the server does not answer", { cause: new Error(`context deadline exceeded`) });
    }
  }

  /** Lines of a watch as they come. */
  async *watch(path: string, options: CallOptions = {}): AsyncGenerator<{ type: string; object: Json }, void> {
    const reply = await this.open("GET", path, { ...options, query: { ...options.query, watch: true } });
    if (reply.status !== 200) await readJson(reply);
    try {
      for await (const line of readLines(reply.stream)) {
        if (isObject(line)) yield { type: textAt(line, "type"), object: line["object"] ?? null };
      }
    } catch (error) {
      if (!(options.signal ?? this.#options.signal)?.aborted)
        throw new Unavailable(errorMessage(error), { cause: error });
    } finally {
      reply.stream.close();
    }
  }

  /** A connection of messages, for streams. @throws Refusal in kubectl's words */
  async openWebSocket(path: string, query: URLSearchParams, protocols: readonly string[]): Promise<WebSocket> {
    const { connection, headers } = this.#options;
    return await openWebSocket(connection, `${path}?${query.toString()}`, { protocols, headers });
  }

  /** A connection of streams that either side ends by itself. @throws Refusal in kubectl's words */
  async openSpdy(path: string, protocols: readonly string[]): Promise<Duplex> {
    const { connection, headers } = this.#options;
    return await openSpdy(connection, path, { protocols, headers });
  }

  /** Passes somebody's request on, and the answer back, as they come. */
  async passOn(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const { connection, headers } = this.#options;
    await passOn(connection, headers, { request, response, path });
  }

  /** Each warning is told once. */
  #warn(header: string | string[] | undefined): void {
    if (header === undefined) return;
    const whole = Array.isArray(header) ? header.join(", ") : header;
    for (const [, quoted = ""] of whole.matchAll(/\d{3} \S+ "((?:\\.|[^"\\])*)"/g)) {
      const text = quoted.replace(/\\(.)/g, "$1");
      if (this.#warned.has(text)) continue;
      this.#warned.add(text);
      this.#options.onWarning(text);
    }
  }

  [Symbol.dispose](): void {
    this.#connection[Symbol.dispose]();
  }
}

function queryText(query: Query = {}): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== "" && value !== false) params.set(name, String(value));
  }
  const text = params.toString();
  return text === "" ? "" : `?${text}`;
}

function retryAfter(error: BoxshipError): number | undefined {
  const status = statusOf(error);
  return status?.code === 429 || status?.code === 503 ? status.details?.retryAfterSeconds : undefined;
}
