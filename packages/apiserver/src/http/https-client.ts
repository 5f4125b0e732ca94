import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { isIP } from "node:net";
import { DeadlineExceeded, errorMessage, ResourceExhausted, Unavailable } from "@boxship/base";

export interface HttpsClientOptions {
  /** PEM of the authorities that the server's certificate must come from. @default the system's */
  readonly ca?: string;
  /** PEM of the client's certificate and key. @default none */
  readonly certificate?: string;
  readonly key?: string;
  /** The name that the server's certificate must have. @default the address's host */
  readonly serverName?: string;
  /** Whether any certificate will do. @default false */
  readonly insecure?: boolean;
}

export interface HttpsCall {
  /** @default GET, or POST with a body */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** For all of it: connection, request and answer. */
  readonly timeoutMs: number;
  /** Ends the call. */
  readonly signal?: AbortSignal;
}

export interface HttpsAnswer {
  readonly status: number;
  readonly text: string;
}

const LONGEST_ANSWER = 3 * 1024 * 1024;

/** Calls other servers: webhooks, identity providers. Connections are kept for the next call. */
export class HttpsClient implements Disposable {
  readonly #agent: Agent;

  constructor({ ca, certificate, key, serverName, insecure = false }: HttpsClientOptions) {
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets: 64,
      ...(ca === undefined ? {} : { ca }),
      ...(certificate === undefined ? {} : { cert: certificate }),
      ...(key === undefined ? {} : { key }),
      // An address is no name that TLS could ask for.
      ...(serverName === undefined || isIP(serverName) !== 0 ? {} : { servername: serverName }),
      rejectUnauthorized: !insecure,
    });
  }

  /**
   * @throws DeadlineExceeded, Unavailable with what went wrong underneath, ResourceExhausted for an answer beyond
   * three megabytes
   */
  async call(url: string, { method, headers = {}, body, timeoutMs, signal: ended }: HttpsCall): Promise<HttpsAnswer> {
    const late = AbortSignal.timeout(Math.max(1, Math.floor(timeoutMs)));
    const signal = ended === undefined ? late : AbortSignal.any([late, ended]);
    try {
      const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
      const sent = request(url, {
        method: method ?? (body === undefined ? "GET" : "POST"),
        agent: this.#agent,
        headers: { ...length, ...headers },
        signal,
      });
      sent.end(body);
      const [response] = (await once(sent, "response")) as [IncomingMessage];
      return { status: response.statusCode ?? 0, text: await readText(response) };
    } catch (cause) {
      if (cause instanceof ResourceExhausted) throw cause;
      if (signal.aborted) throw new DeadlineExceeded("context deadline exceeded", { cause });
      throw new Unavailable(errorMessage(cause), { cause });
    }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > LONGEST_ANSWER) throw new ResourceExhausted("the answer is longer than three megabytes");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
