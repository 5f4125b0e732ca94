import type { Server, ServerOptions } from "node:http";

/** More than any registry serves at once, and fewer than there are file descriptors. */
const MOST_CONNECTIONS = 4000;

/** How long clients may take for the head of a request; their bodies are up to {@link SlowClients}. */
export const SERVER_OPTIONS = {
  headersTimeout: 20_000,
  connectionsCheckingInterval: 1000,
  // Large blobs take as long as they take.
  requestTimeout: 0,
} as const satisfies ServerOptions;

/** How long a handshake of TLS may take. */
export const HANDSHAKE_TIMEOUT = 20_000;

/** Ends who stands still, and takes no more connections than can be served. */
export function limitServer(server: Server): void {
  server.timeout = 120_000;
  server.maxConnections = MOST_CONNECTIONS;
}
