import { systemClock, Unsupported } from "@boxship/base";
import { persist } from "@boxship/client";
import { Empty, field, message, method, type ValueOf } from "@boxship/grpc";
import { callEngine } from "./call-engine.ts";

/**
 * What the engine's process does for a cluster beside the CRI, at the same socket: it answers for the cluster's names, so that
 * they are found while the cluster's own process is away.
 */

const SERVICE = "boxship.names.v1.ClusterNames";

export type ServeNamesRequest = ValueOf<typeof ServeNamesRequest>;
const ServeNamesRequest = message("ServeNamesRequest", {
  /** Path of the administrator's. */
  kubeconfig: field.string(1),
  zone: field.string(2),
  /** Of the name server's service. */
  serviceAddress: field.string(3),
});

const ServeNamesResponse = message("ServeNamesResponse", {
  /** On the loopback address, by UDP and by TCP. */
  port: field.int32(1),
});

export const NAMES_METHODS = {
  serve: method(SERVICE, "Serve", ServeNamesRequest, ServeNamesResponse),
  end: method(SERVICE, "End", Empty, Empty),
} as const;

const FIRST_WAIT_MS = 20;
const MOST_WAIT_MS = 1000;

/** The engine that answers for a cluster's names. */
export class NamesClient {
  readonly #socket: string;

  constructor(socket: string) {
    this.#socket = socket;
  }

  /** @returns where they are answered, once they are known; undefined for an engine that is not ours */
  async serve(request: ServeNamesRequest, signal: AbortSignal): Promise<number | undefined> {
    const serve = async (): Promise<number | undefined> => {
      try {
        return (await callEngine(this.#socket, (client) => client.unary(NAMES_METHODS.serve, request, { signal })))
          .port;
      } catch (error) {
        if (error instanceof Unsupported) return undefined;
        throw error;
      }
    };
    return await persist(serve, { clock: systemClock, signal, base: FIRST_WAIT_MS, most: MOST_WAIT_MS });
  }

  /** Names are not answered any more. */
  async end(): Promise<void> {
    await callEngine(this.#socket, (client) => client.unary(NAMES_METHODS.end, {}));
  }
}
