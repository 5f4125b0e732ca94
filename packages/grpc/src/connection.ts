import {
  type ClientHttp2Session,
  connect,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerOptions,
} from "node:http2";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Unavailable } from "@boxship/base";

/** Room for a client that sends a context: the default of 64 KiB makes it wait for us after every other packet. */
const STREAM_WINDOW = 1 << 20;
const CONNECTION_WINDOW = 8 << 20;
/** Metadata of a file synchronisation has all patterns of an ignore file. */
const MAX_HEADER_LIST_BYTES = 1 << 20;

/** Calls that a client may have open at once: each costs 16 kB, and a bake of hundreds of targets has three for each. */
const MOST_STREAMS = 2000;

/** Megabytes that a connection may buffer; Node's default of 10 ends streams that carry the largest messages. */
const SESSION_MEMORY = 256;

/** A connection of a client that has become HTTP/2. */
export type ClientSession = ClientHttp2Session;

const SETTINGS = { initialWindowSize: STREAM_WINDOW, maxHeaderListSize: MAX_HEADER_LIST_BYTES, enablePush: false };

/** A connection that has been upgraded, with the other side as the client. It belongs to the session from here on. */
export function serverSession(socket: Duplex): ServerHttp2Session {
  const options: ServerOptions = {
    settings: { ...SETTINGS, maxConcurrentStreams: MOST_STREAMS },
    maxSendHeaderBlockLength: MAX_HEADER_LIST_BYTES,
    maxSessionMemory: SESSION_MEMORY,
  };
  closeWhole(socket);
  const session = performServerHandshake(socket, options);
  session.setLocalWindowSize(CONNECTION_WINDOW);
  return session;
}

/** A connection that has been upgraded, with the other side as the server. */
export function clientSession(socket: Duplex): ClientHttp2Session {
  closeWhole(socket);
  const session = connect("http://localhost", {
    createConnection: () => socket,
    settings: SETTINGS,
    maxSendHeaderBlockLength: MAX_HEADER_LIST_BYTES,
    maxSessionMemory: SESSION_MEMORY,
  });
  session.once("connect", () => session.setLocalWindowSize(CONNECTION_WINDOW));
  return session;
}

/** How a TLS server is known, and how we are known to it. PEM. */
export interface DialTls {
  /** @default the system's authorities */
  readonly ca?: string | Buffer;
  readonly certificate?: string | Buffer;
  readonly key?: string | Buffer;
  /** Name that the server's certificate must have. @default the address's host */
  readonly serverName?: string;
}

export interface DialOptions {
  readonly tls?: DialTls;
  /** Milliseconds. @default 10000 */
  readonly timeout?: number;
}

/**
 * A new connection to a gRPC server, by TLS for `https`.
 *
 * @throws Unavailable, with the system's or TLS's own words
 */
export function dial(address: URL, { tls = {}, timeout = 10_000 }: DialOptions = {}): Promise<ClientHttp2Session> {
  const { ca, certificate, key, serverName } = tls;
  return new Promise((resolve, reject) => {
    const session = connect(address.origin, {
      ...(ca !== undefined && { ca }),
      ...(certificate !== undefined && { cert: certificate }),
      ...(key !== undefined && { key }),
      ...(serverName !== undefined && { servername: serverName }),
      settings: SETTINGS,
      maxSendHeaderBlockLength: MAX_HEADER_LIST_BYTES,
      maxSessionMemory: SESSION_MEMORY,
    });
    const fail = (error: Error) => {
      clearTimeout(timer);
      session.destroy();
      reject(new Unavailable(error.message === "" ? "the connection is refused" : error.message, { cause: error }));
    };
    const timer = setTimeout(() => fail(new Error(`no answer within ${timeout} ms`)), timeout);
    session.once("error", fail);
    session.once("connect", () => {
      clearTimeout(timer);
      session.off("error", fail);
      session.setLocalWindowSize(CONNECTION_WINDOW);
      resolve(session);
    });
  });
}

/** An HTTP server's connections stay half open when the client goes; of these nothing is left then. */
function closeWhole(socket: Duplex): void {
  if (socket instanceof Socket) socket.allowHalfOpen = false;
  socket.once("end", () => socket.destroy());
}
