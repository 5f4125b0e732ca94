import { hideCredentials, InvalidArgument, NotFound, Unavailable } from "@boxship/base";
import { HttpConnections, type HttpResponse, NetworkFailure, networkFailure } from "./http.ts";

export interface OpenUrlOptions {
  readonly signal?: AbortSignal;
  /** Give up when nothing arrives for so long, in milliseconds. @default 30 000 */
  readonly idleTimeoutMs?: number;
}

/** What an address leads to, as a stream. */
export interface OpenedUrl extends AsyncDisposable {
  readonly body: AsyncIterable<Uint8Array>;
  /** Bytes, if the server says so. */
  readonly size: number | undefined;
  /** When the server says that it was changed. */
  readonly modified: Date | undefined;
  /** As the server names it, in lower case and without parameters. */
  readonly contentType: string | undefined;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const REDIRECT_LIMIT = 10;

/**
 * Opens an http or https address; redirects are followed, but not from https to http. A body that ends early is an error.
 *
 * @throws InvalidArgument for other addresses and refused redirects, NotFound and Unavailable as the server answers
 */
export async function openUrl(address: string, options: OpenUrlOptions = {}): Promise<OpenedUrl> {
  const { signal, idleTimeoutMs = 30_000 } = options;
  const connections = new HttpConnections();
  try {
    let url = parseHttpUrl(address);
    for (let hops = 0; ; hops++) {
      const response = await send(connections, url, idleTimeoutMs, signal);
      const { location } = response.headers;
      if (!REDIRECTS.has(response.status) || location === undefined) return opened(connections, url, response);
      response.body.destroy();
      const next = parseHttpUrl(URL.canParse(location, url) ? new URL(location, url).href : location);
      if (hops === REDIRECT_LIMIT)
        throw new InvalidArgument(`${hideCredentials(address)} leads to more than ${REDIRECT_LIMIT} redirects`);
      if (url.protocol === "https:" && next.protocol === "http:") {
        throw new InvalidArgument(`${hideCredentials(address)} redirects from https to ${hideCredentials(next.href)}`);
      }
      url = next;
    }
  } catch (error) {
    connections[Symbol.dispose]();
    throw error;
  }
}

function parseHttpUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "http:" || url?.protocol === "https:") return url;
  const shown = hideCredentials(text);
  throw new InvalidArgument(`${JSON.stringify(shown)} is no http or https address`, {
    subject: { kind: "address", name: shown },
  });
}

async function send(
  connections: HttpConnections,
  url: URL,
  idleTimeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<HttpResponse> {
  try {
    return await connections.send({ method: "GET", url: url.href, headers: {}, tls: {}, idleTimeoutMs }, signal);
  } catch (error) {
    throw cutOff(url, error);
  }
}

function cutOff(url: URL, error: unknown): unknown {
  if (!(error instanceof NetworkFailure)) return error;
  const shown = hideCredentials(url.href);
  return new Unavailable(`${shown} cannot be fetched: ${error.message}`, {
    cause: error,
    subject: { kind: "address", name: shown },
    remedy: "check the address, and this machine's connection and proxy settings",
  });
}

function opened(connections: HttpConnections, url: URL, response: HttpResponse): OpenedUrl {
  const { status, headers, body } = response;
  if (status !== 200) {
    body.destroy();
    const shown = hideCredentials(url.href);
    const answered = `${shown} cannot be fetched: the server answered ${status}`;
    const subject = { kind: "address", name: shown };
    throw status === 404 ? new NotFound(answered, { subject }) : new Unavailable(answered, { subject });
  }
  async function* pieces(): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of body) yield piece as Buffer;
    } catch (error) {
      throw cutOff(url, networkFailure(error));
    }
  }
  const length = headers["content-length"];
  return {
    body: pieces(),
    size: length === undefined ? undefined : Number(length),
    modified: dateOf(headers["last-modified"]),
    contentType: headers["content-type"]?.split(";")[0]?.trim().toLowerCase(),
    [Symbol.asyncDispose]: () => {
      body.destroy();
      connections[Symbol.dispose]();
      return Promise.resolve();
    },
  };
}

function dateOf(text: string | undefined): Date | undefined {
  const time = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(time) ? undefined : new Date(time);
}
