import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { describeEndpoint, type Endpoint } from "../instance.ts";
import { ApiError, connectionFailure } from "./api-error.ts";
import { type Connection, openConnection, type WireResponse } from "./connection.ts";

export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

export interface ApiOptions {
  readonly query?: Query;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is, e.g. an archive. */
  readonly stream?: Readable;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A raw connection to a container, after the engine has agreed to it. */
export interface Hijacked {
  readonly socket: Socket;
  /** What arrived with the answer's head. */
  readonly head: Buffer;
}

function pathWithQuery(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value === undefined || value === "" || value === false) continue;
    if (typeof value === "object") for (const item of value) search.append(key, item);
    else search.append(key, value === true ? "1" : String(value));
  }
  const text = search.toString();
  return text === "" ? path : `${path}?${text}`;
}

/** All of a stream as one buffer. */
export async function readAll(stream: Readable): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

/**
 * A client of the Docker Engine API. Requests carry no version: the engine answers with its own newest.
 *
 * It speaks HTTP/1.1 itself: Node's own client costs a short command a fifth of its processor time.
 */
export class ApiClient implements Disposable {
  readonly endpoint: Endpoint;
  readonly #idle: Connection[] = [];
  readonly #recover: ((cause: unknown) => Promise<boolean>) | undefined;
  readonly #check: (() => Promise<void>) | undefined;
  #checked: Promise<void> | undefined;

  /**
   * @param recover called when nobody listens; true when the request may be sent again
   * @param check called before the first request, which is not sent when it rejects
   */
  constructor(endpoint: Endpoint, recover?: (cause: unknown) => Promise<boolean>, check?: () => Promise<void>) {
    this.endpoint = endpoint;
    this.#recover = recover;
    this.#check = check;
  }

  [Symbol.dispose](): void {
    for (const connection of this.#idle.splice(0)) connection[Symbol.dispose]();
  }

  /**
   * The answer of one request, its body not yet read.
   *
   * @throws ApiError when the engine refuses
   * @throws Failure when the engine cannot be reached
   */
  async open(method: string, path: string, options: ApiOptions = {}): Promise<WireResponse> {
    const response = await this.#send(method, path, options);
    if (response.status < 400) return response;
    throw ApiError.of(response.status, (await readAll(response.body)).toString());
  }

  /** The answer as JSON; undefined when it has no body. */
  async json<T>(method: string, path: string, options: ApiOptions = {}): Promise<T> {
    const text = await this.text(method, path, options);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }

  async text(method: string, path: string, options: ApiOptions = {}): Promise<string> {
    return (await readAll((await this.open(method, path, options)).body)).toString();
  }

  /** A request whose answer does not matter beyond its success. */
  async call(method: string, path: string, options: ApiOptions = {}): Promise<void> {
    await this.text(method, path, options);
  }

  /** Turns a request's connection into a raw stream in both directions. The caller owns the socket. */
  async hijack(path: string, options: ApiOptions = {}): Promise<Hijacked> {
    const headers = { ...options.headers, Connection: "Upgrade", Upgrade: "tcp" };
    const response = await this.#send("POST", path, { ...options, headers });
    if (response.status >= 400) throw ApiError.of(response.status, (await readAll(response.body)).toString());
    if (response.upgraded !== undefined) return response.upgraded;
    throw new ApiError(response.status, "the engine did not turn the connection into a stream");
  }

  async #send(method: string, path: string, options: ApiOptions): Promise<WireResponse> {
    if (this.#check !== undefined) await (this.#checked ??= this.#check());
    try {
      return await this.#attempt(method, path, options);
    } catch (error) {
      if (this.#recover !== undefined && (await this.#recover(error))) return this.#attempt(method, path, options);
      throw connectionFailure(describeEndpoint(this.endpoint), error);
    }
  }

  async #attempt(method: string, path: string, options: ApiOptions): Promise<WireResponse> {
    const connection = this.#takeIdle() ?? (await openConnection(this.endpoint));
    const body = options.body === undefined ? undefined : JSON.stringify(options.body);
    const headers: Record<string, string> = { Host: "boxship", "User-Agent": "boxship", ...options.headers };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const target = pathWithQuery(path, options.query);
    return connection.send({ method, path: target, headers, body, stream: options.stream }, () =>
      this.#free(connection),
    );
  }

  #takeIdle(): Connection | undefined {
    const connection = this.#idle.pop();
    if (connection?.socket.destroyed) return this.#takeIdle();
    connection?.socket.ref();
    return connection;
  }

  #free(connection: Connection): void {
    // An idle connection is no reason to go on living.
    connection.socket.unref();
    this.#idle.push(connection);
  }
}
