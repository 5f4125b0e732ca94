import type { Duplex } from "node:stream";

/** How a server is reached, how it is known, and who we are. */
export interface ConnectionOptions {
  /** `https://host:port`, maybe with a path before all others. */
  readonly server: string;
  /** PEM. @default the system's authorities */
  readonly authority?: string;
  /** PEM of a client certificate, and its key. */
  readonly certificate?: string;
  readonly key?: string;
  /** The same of one that is exchanged now and then: asked at each request, which is sent over a connection that has it. */
  readonly identity?: () => ClientIdentity;
  readonly token?: string;
  /** Name that the server's certificate must have. @default the address's host */
  readonly serverName?: string;
  /** A connection that is there already, for a server in this process. @default one over TLS */
  readonly createConnection?: () => Duplex;
  /** Takes any server for the right one. @default false */
  readonly insecure?: boolean;
}

/** A client certificate and its key, PEM. */
export interface ClientIdentity {
  readonly certificate: string;
  readonly key: string;
}
