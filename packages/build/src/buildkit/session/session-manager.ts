import type { Duplex } from "node:stream";
import { AlreadyExists, InvalidArgument, NotFound } from "@boxship/base";
import { type ClientSession, openClientSession, type SessionHeaders } from "./client-session.ts";

/** How long a request waits for the session that it names: clients open both at the same time. */
const WAIT_MS = 5000;

/** The clients that serve now, by the identifiers that they chose. */
export class SessionManager implements Disposable {
  readonly #sessions = new Map<string, ClientSession>();
  readonly #waiting = new Map<string, Set<() => void>>();

  /** Checks before an answer is given. @throws InvalidArgument, AlreadyExists */
  check({ id }: SessionHeaders): void {
    if (id === "") throw new InvalidArgument("the session has no identifier");
    if (this.#sessions.has(id)) throw new AlreadyExists(`session ${id} already exists`);
  }

  /** Takes an upgraded connection. @throws InvalidArgument, AlreadyExists */
  accept(socket: Duplex, headers: SessionHeaders): ClientSession {
    this.check(headers);
    const session = openClientSession(socket, headers);
    this.#sessions.set(session.id, session);
    session.gone.addEventListener("abort", () => this.#sessions.delete(session.id), { once: true });
    for (const wake of this.#waiting.get(session.id) ?? []) wake();
    return session;
  }

  /** A session that is there, or that comes soon. @throws NotFound, and the signal's reason */
  get(id: string, signal: AbortSignal): Promise<ClientSession> {
    const found = this.#sessions.get(id);
    if (found !== undefined) return Promise.resolve(found);
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(id) ?? new Set();
      this.#waiting.set(id, waiting);
      const settle = (finish: () => void) => () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", onAbort);
        waiting.delete(onReady);
        if (waiting.size === 0) this.#waiting.delete(id);
        finish();
      };
      const onReady = settle(() => {
        const session = this.#sessions.get(id);
        if (session === undefined) reject(noSession(id));
        else resolve(session);
      });
      const onAbort = settle(() => reject(signal.reason as Error));
      const timer = setTimeout(
        settle(() => reject(noSession(id))),
        WAIT_MS,
      );
      waiting.add(onReady);
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  [Symbol.dispose](): void {
    for (const session of this.#sessions.values()) session.close();
  }
}

function noSession(id: string): NotFound {
  return new NotFound(`no active session for ${id}`, { remedy: "keep the client running until the build has ended" });
}
