import { Agent, type ClientRequest, type IncomingMessage, type RequestOptions, request } from "node:http";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { describeEndpoint, type Endpoint } from "../instance.ts";
import { ApiError, connectionFailure } from "./api-error.ts";

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
  readonly contentType: string;
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

/**
 * A client of the Docker Engine API. Requests carry no version: the engine answers with its own newest.
 * Dispose it, or idle connections keep the process alive.
 */
export class ApiClient implements Disposable {
  readonly endpoint: Endpoint;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  readonly #recover: ((cause: unknown) => Promise<boolean>) | undefined;

  /** @param recover called when nobody listens; true when the request may be sent again */
  constructor(endpoint: Endpoint, recover?: (cause: unknown) => Promise<boolean>) {
    this.endpoint = endpoint;
    this.#recover = recover;
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  /**
   * The answer of one request, its body not yet read.
   *
   * @throws ApiError when the engine refuses
   * @throws Failure when the engine cannot be reached
   */
  async open(method: string, path: string, options: ApiOptions = {}): Promise<IncomingMessage> {
    const response = await this.#connected(() => this.#send(method, path, options));
    if ((response.statusCode ?? 500) < 400) return response;
    throw await ApiError.from(response);
  }

  /** The answer as JSON; undefined when it has no body. */
  async json<T>(method: string, path: string, options: ApiOptions = {}): Promise<T> {
    const text = await this.text(method, path, options);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }

  async text(method: string, path: string, options: ApiOptions = {}): Promise<string> {
    return (await buffer(await this.open(method, path, options))).toString();
  }

  /** A request whose answer does not matter beyond its success. */
  async call(method: string, path: string, options: ApiOptions = {}): Promise<void> {
    const response = await this.open(method, path, options);
    response.resume();
    await new Promise((resolve, reject) => response.once("end", resolve).once("error", reject));
  }

  /** Turns a request's connection into a raw stream in both directions. The caller owns the socket. */
  async hijack(path: string, options: ApiOptions = {}): Promise<Hijacked> {
    return this.#connected(async () => {
      const headers = { Connection: "Upgrade", Upgrade: "tcp" };
      const outgoing = this.#request("POST", path, options, headers, false);
      const answer = upgraded(outgoing);
      outgoing.end(options.body === undefined ? undefined : JSON.stringify(options.body));
      return answer;
    });
  }

  async #connected<T>(attempt: () => Promise<T>): Promise<T> {
    try {
      return await attempt();
    } catch (error) {
      if (error instanceof ApiError) throw error;
      if (this.#recover !== undefined && (await this.#recover(error))) return attempt();
      throw connectionFailure(describeEndpoint(this.endpoint), error);
    }
  }

  #request(
    method: string,
    path: string,
    options: ApiOptions,
    headers: Readonly<Record<string, string>>,
    agent: Agent | false,
  ): ClientRequest {
    const { endpoint } = this;
    const target: RequestOptions =
      endpoint.kind === "unix" ? { socketPath: endpoint.path } : { host: endpoint.host, port: endpoint.port };
    const json = options.body === undefined ? {} : { "Content-Type": "application/json" };
    return request({
      ...target,
      agent,
      method,
      path: pathWithQuery(path, options.query),
      headers: { Host: "api.boxship", "User-Agent": "boxship", ...json, ...headers, ...options.headers },
    });
  }

  async #send(method: string, path: string, options: ApiOptions): Promise<IncomingMessage> {
    const outgoing = this.#request(method, path, options, {}, this.#agent);
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once("response", resolve).once("error", reject);
    });
    if (options.stream === undefined) {
      const body = options.body === undefined ? undefined : JSON.stringify(options.body);
      if (body !== undefined) outgoing.setHeader("Content-Length", Buffer.byteLength(body));
      else if (method === "POST") outgoing.setHeader("Content-Length", 0);
      outgoing.end(body);
      return answer;
    }
    // An engine that refuses may answer before it has read everything: its answer says more than a broken pipe.
    const sent = pipeline(options.stream, outgoing);
    sent.catch(() => {});
    return answer;
  }
}

function upgraded(outgoing: ClientRequest): Promise<Hijacked> {
  return new Promise((resolve, reject) => {
    outgoing.once("upgrade", (response, socket: Socket, head) => {
      resolve({ socket, head, contentType: response.headers["content-type"] ?? "" });
    });
    outgoing.once("response", (response) => {
      if ((response.statusCode ?? 500) >= 400) {
        void ApiError.from(response).then(reject, reject);
        return;
      }
      // Engines of before the upgrade protocol answer 200 and go on with raw bytes on the same connection.
      const { socket } = response;
      resolve({ socket, head: Buffer.alloc(0), contentType: response.headers["content-type"] ?? "" });
    });
    outgoing.once("error", reject);
  });
}
