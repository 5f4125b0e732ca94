import { createServer, type Http2Session } from "node:http2";
import { type Duplex, duplexPair } from "node:stream";
import type { User } from "../contract.ts";
import type { Incoming } from "./read-body.ts";
import type { Outgoing } from "./send-reply.ts";

/** Connections from within this process: HTTP/2 without a socket, a key or a certificate. Who asks is known already. */
export class InProcessDoor {
  readonly #server = createServer({ settings: { maxConcurrentStreams: 1000 } });
  readonly #users = new WeakMap<object, User>();

  /** @param opened is told every connection */
  constructor(answer: (request: Incoming, response: Outgoing) => void, opened: (session: Http2Session) => void) {
    this.#server.on("request", (request, response) => answer(request, response as unknown as Outgoing));
    this.#server.on("session", opened);
  }

  /** The caller's end of a new connection, on which everything is asked by a user. */
  connect(user: User): Duplex {
    const [near, far] = duplexPair();
    // Announced while the connection is handed over.
    this.#server.once("session", (session) => void this.#users.set(session, user));
    this.#server.emit("connection", far);
    return near;
  }

  /** Who asks; undefined for requests that came by another door. */
  userOf(request: Incoming): User | undefined {
    const session = "stream" in request ? request.stream.session : undefined;
    return session === undefined ? undefined : this.#users.get(session);
  }
}
