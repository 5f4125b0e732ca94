import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { EngineApi } from "@boxship/engine";
import { CallAudit } from "../access/audit.ts";
import type { DockerApiOptions } from "../options.ts";
import type { HostDefaults } from "../view/host-defaults.ts";
import { readAll, readJson } from "./body.ts";
import { takeOver } from "./hijack.ts";

/** What all requests of a server share. */
export interface ApiContext extends DockerApiOptions {
  /** Facts of the host that fill absent fields in answers; asked for once. */
  readonly defaults: () => Promise<HostDefaults>;
}

export interface CallOptions {
  readonly id: string;
  readonly context: ApiContext;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly version: number;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** The client asked for an upgrade, and the parser has let go of the socket. */
  readonly upgraded: boolean;
  /** It is written into the audit log, where there is one. */
  readonly audited: boolean;
}

/** One request on its way through a handler. */
export class ApiCall {
  readonly id: string;
  readonly context: ApiContext;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Minor version that the client speaks. */
  readonly version: number;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** The client asked for `Upgrade: tcp` (or a WebSocket) and the route may give it. */
  readonly upgraded: boolean;
  /** Present when the call is written into the audit log. */
  readonly audit: CallAudit | undefined;
  #controller: AbortController | undefined;
  #gone = false;
  #hijacked: Socket | undefined;

  constructor(options: CallOptions) {
    this.id = options.id;
    this.context = options.context;
    this.request = options.request;
    this.response = options.response;
    this.version = options.version;
    this.params = options.params;
    this.query = options.query;
    this.upgraded = options.upgraded;
    const { audit } = options.context;
    this.audit = audit === undefined || !options.audited ? undefined : new CallAudit(audit, this);
  }

  get engine(): EngineApi {
    return this.context.engine;
  }

  /** A path parameter; the route has it. */
  param(name: string): string {
    return this.params[name] ?? "";
  }

  /** Aborted when the client goes away, or the server closes, before the answer is complete. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#gone) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  /** The connection was taken over: nothing may be answered in HTTP any more. */
  get hijacked(): boolean {
    return this.#hijacked !== undefined;
  }

  /** Calls back once nothing of this request is left: a connection that was taken over may close later. */
  whenGone(callback: () => void): void {
    if (this.#hijacked === undefined || this.#hijacked.closed) callback();
    else this.#hijacked.once("close", callback);
  }

  /** The client went away, or the server is closing. */
  abort(): void {
    this.#gone = true;
    this.#controller?.abort();
  }

  /** Closes the connection at once, whatever it is doing. */
  destroy(): void {
    this.abort();
    this.#hijacked?.destroy();
    this.request.socket.destroy();
  }

  /** The JSON body, undefined when empty. */
  json(): Promise<unknown> {
    return readJson(this.request, this.context.clock);
  }

  /**
   * Makes the connection a raw stream in both directions, which begins after the request's body. The caller ends it. It is
   * destroyed when the body does not come.
   */
  async hijack(contentType: string): Promise<Socket> {
    await this.#skipBody();
    return this.adopt(takeOver(this.request, this.response, this.upgraded, contentType));
  }

  /** Makes the connection one of another protocol, which the client asked for; see {@link hijack}. */
  async hijackTo(protocol: string): Promise<Socket> {
    await this.#skipBody();
    return this.adopt(takeOver(this.request, this.response, true, undefined, protocol));
  }

  async #skipBody(): Promise<void> {
    const { request } = this;
    if (request.complete) return;
    await readAll(request, this.context.clock).catch(() => request.socket.destroy());
  }

  /** Marks the connection as taken over by someone else, e.g. a WebSocket. */
  adopt(socket: Socket): Socket {
    this.#hijacked = socket;
    socket.once("close", () => this.abort());
    return socket;
  }
}
