import type { Duplex } from "node:stream";
import { Unavailable } from "@boxship/base";
import { clientSession, GrpcClient, type Metadata } from "@boxship/grpc";

/** How often a silent client is asked whether it is still there, and how long it has to answer. */
const PING_MS = 30_000;

/** A client that serves: its files, credentials, secrets, agents, and places for results. */
export interface ClientSession {
  readonly id: string;
  /** Says which sessions send the same directories, so that files that are here already need not travel. */
  readonly sharedKey: string;
  readonly client: GrpcClient;
  /** Aborted when the client goes. */
  readonly gone: AbortSignal;
  /** Whether the client announced the method. */
  supports(method: { readonly path: string }): boolean;
  close(): void;
}

/** What a client says of its session, in headers of `POST /session` or in the metadata of `Control.Session`. */
export interface SessionHeaders {
  readonly id: string;
  readonly sharedKey: string;
  readonly methods: readonly string[];
}

export function sessionHeaders(metadata: Metadata): SessionHeaders {
  const first = (name: string) => metadata[`x-docker-expose-session-${name}`]?.[0] ?? "";
  return {
    id: first("uuid"),
    sharedKey: first("sharedkey"),
    methods: metadata["x-docker-expose-session-grpc-method"] ?? [],
  };
}

/** Takes a connection that has been upgraded; it belongs to the session from here on. */
export function openClientSession(socket: Duplex, headers: SessionHeaders): ClientSession {
  const session = clientSession(socket);
  const methods = new Set(headers.methods.map((path) => path.toLowerCase()));
  const controller = new AbortController();
  const gone = (): void => {
    clearInterval(timer);
    controller.abort(new Unavailable(`the client's session ${headers.id} has ended`));
  };
  let silent = false;
  const timer = setInterval(() => {
    if (silent) session.destroy();
    if (session.destroyed) return;
    silent = true;
    session.ping(() => {
      silent = false;
    });
  }, PING_MS);
  timer.unref();
  session.once("close", gone);
  socket.once("close", () => {
    session.destroy();
    gone();
  });
  return {
    id: headers.id,
    sharedKey: headers.sharedKey,
    client: new GrpcClient(session),
    gone: controller.signal,
    supports: (method) => methods.has(method.path.toLowerCase()),
    close: () => {
      session.destroy();
      socket.destroy();
    },
  };
}
