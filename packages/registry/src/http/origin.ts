import type { IncomingMessage } from "node:http";

/** Names and addresses, with a port; nothing that would mean something within a header or a document. */
const HOST = /^[A-Za-z0-9._[\]:-]{1,255}$/;

/** `https://HOST`, as the client sees the registry: a proxy before it may be who speaks TLS. */
export function originOf({ socket, headers }: IncomingMessage): string {
  const { host = "", "x-forwarded-proto": proto } = headers;
  const secure = "encrypted" in socket || proto === "https";
  return `${secure ? "https" : "http"}://${HOST.test(host) ? host : "localhost"}`;
}
