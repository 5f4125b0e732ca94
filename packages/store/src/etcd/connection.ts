import { setTimeout as delay } from "node:timers/promises";
import { DeadlineExceeded, errorMessage, InvalidArgument, Unavailable } from "@boxship/base";
import { type DialTls, dial, GrpcClient, type Init, type Method } from "@boxship/grpc";
import { explained } from "./errors.ts";

export interface EtcdEndpoints {
  /** `http://host:port` or `https://host:port`; they are tried in turn. */
  readonly endpoints: readonly string[];
  /** For `https`. PEM. */
  readonly tls?: DialTls;
  /** How long one request may take, and how long a read is tried again elsewhere. @default 10000 */
  readonly requestTimeout?: number;
}

/** A list of 100,000 objects comes in one message. */
const MAX_MESSAGE_BYTES = 1 << 30;
const DIAL_TIMEOUT = 5000;
const RETRY_PAUSE = 100;
const REMEDY = "check that etcd runs, and the addresses and certificates that it is reached by";
/** A member that is cut off from us closes nothing: it is asked now and then whether it is there. */
const PING_INTERVAL = 15_000;
const PING_TIMEOUT = 10_000;

interface Connected {
  readonly client: GrpcClient;
  readonly session: Awaited<ReturnType<typeof dial>>;
}

/** One connection to one member of a cluster at a time; to the next when that one does not answer. */
export class EtcdConnection implements Disposable {
  readonly #endpoints: readonly URL[];
  readonly #tls: DialTls | undefined;
  readonly #timeout: number;
  #turn = 0;
  #current: Promise<Connected> | undefined;
  #closed = false;

  /** @throws InvalidArgument for addresses that are none */
  constructor({ endpoints, tls, requestTimeout = 10_000 }: EtcdEndpoints) {
    if (endpoints.length === 0) throw new InvalidArgument("no address of etcd is given");
    this.#endpoints = endpoints.map(parseEndpoint);
    this.#tls = tls;
    this.#timeout = requestTimeout;
  }

  /** A client of a member that answers. @throws Unavailable when none does */
  async client(): Promise<GrpcClient> {
    if (this.#closed) throw new Unavailable("the store is closed");
    this.#current ??= this.#dialAny();
    const current = this.#current;
    try {
      return (await current).client;
    } catch (error) {
      if (this.#current === current) this.#current = undefined;
      throw error;
    }
  }

  async #dialAny(): Promise<Connected> {
    const failures: string[] = [];
    for (const _ of this.#endpoints) {
      const endpoint = this.#endpoints[this.#turn % this.#endpoints.length] as URL;
      try {
        const session = await dial(endpoint, { timeout: DIAL_TIMEOUT, ...(this.#tls && { tls: this.#tls }) });
        if (this.#closed) {
          session.destroy();
          throw new Unavailable("the store is closed");
        }
        const scheme = endpoint.protocol === "https:" ? "https" : "http";
        const client = new GrpcClient(session, {
          authority: endpoint.host,
          scheme,
          maxMessageBytes: MAX_MESSAGE_BYTES,
        });
        const pinging = setInterval(() => this.#ping(client, session), PING_INTERVAL).unref();
        session.once("close", () => {
          clearInterval(pinging);
          this.#forget(client);
        });
        return { client, session };
      } catch (error) {
        this.#turn++;
        failures.push(`${endpoint.host}: ${errorMessage(error)}`);
      }
    }
    throw new Unavailable(`no member of etcd answers (${failures.join("; ")})`, {
      remedy: REMEDY,
    });
  }

  /** The first thing that is asked. @throws Unavailable saying what to look at */
  async greet<Request, Response>(method: Method<Request, Response>, request: Init<Request>): Promise<Response> {
    try {
      return await this.read(method, request);
    } catch (error) {
      if (!isLost(error) || (error as Unavailable).remedy !== undefined) throw explained(error);
      const hosts = this.#endpoints.map(({ host }) => host).join(", ");
      throw new Unavailable(`etcd at ${hosts} does not answer: ${errorMessage(error)}`, {
        cause: error,
        remedy: REMEDY,
      });
    }
  }

  #ping(client: GrpcClient, session: Connected["session"]): void {
    const late = setTimeout(() => void this.leave(client), PING_TIMEOUT).unref();
    if (session.destroyed || !session.ping(() => clearTimeout(late))) clearTimeout(late);
  }

  #forget(client: GrpcClient): void {
    void this.#current?.then(
      (current) => {
        if (current.client === client) this.#current = undefined;
      },
      () => {},
    );
  }

  /** Turns away from a member that does not answer as it should. */
  async leave(client: GrpcClient): Promise<void> {
    const current = await this.#current?.catch(() => undefined);
    if (current === undefined || current.client !== client) return;
    this.#current = undefined;
    this.#turn++;
    current.session.destroy();
  }

  /** Asks what changes nothing: elsewhere, again, until it is answered or the time is over. */
  async read<Request, Response>(method: Method<Request, Response>, request: Init<Request>): Promise<Response> {
    const deadline = performance.now() + this.#timeout;
    let before: unknown;
    for (;;) {
      let client: GrpcClient | undefined;
      try {
        client = await this.client();
        return await client.unary(method, request, { timeout: Math.max(1, deadline - performance.now()) });
      } catch (error) {
        if (client !== undefined && isLost(error)) await this.leave(client);
        // That the last moment was too short is not what is wrong.
        if (error instanceof DeadlineExceeded && before !== undefined) throw before;
        if (!(error instanceof Unavailable) || this.#closed || performance.now() + RETRY_PAUSE > deadline) throw error;
        before = error;
      }
      await delay(RETRY_PAUSE);
    }
  }

  /**
   * Asks for a change, once: whether it was made when no answer comes, nobody knows.
   *
   * @throws Unavailable
   */
  async write<Request, Response>(method: Method<Request, Response>, request: Init<Request>): Promise<Response> {
    const client = await this.client();
    try {
      return await client.unary(method, request, { timeout: this.#timeout });
    } catch (error) {
      if (isLost(error)) await this.leave(client);
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    void this.#current?.then(
      ({ session }) => session.destroy(),
      () => {},
    );
  }
}

/** Whether it is the member's fault, so that another one may do better. */
export function isLost(error: unknown): boolean {
  return error instanceof Unavailable || error instanceof DeadlineExceeded;
}

function parseEndpoint(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && (url.protocol === "http:" || url.protocol === "https:") && url.host !== "") return url;
  throw new InvalidArgument(`${JSON.stringify(text)} is no address of etcd`, {
    remedy: "write it like https://10.0.0.1:2379",
  });
}
