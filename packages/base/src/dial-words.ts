import { errorMessage, systemCode } from "./errors.ts";

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset by peer",
  EHOSTUNREACH: "no route to host",
  ENETUNREACH: "network is unreachable",
  ENOENT: "no such file or directory",
  EPROTOTYPE: "protocol wrong type for socket",
  ETIMEDOUT: "connection timed out",
};

export type Dialed = { readonly network: string } & (
  | { readonly path: string }
  | { readonly host: string; readonly port: number }
);

/** `dial tcp 127.0.0.1:514: connect: connection refused`, as Go's programs word it. */
export function dialWords(cause: unknown, dialed: Dialed): string {
  const { network } = dialed;
  // A name with several addresses: the first tells why.
  const error: unknown = cause instanceof AggregateError ? cause.errors[0] : cause;
  const code = systemCode(error) ?? "";
  if (code === "ENOTFOUND" && "host" in dialed) return `dial ${network}: lookup ${dialed.host}: no such host`;
  const reason = REASONS[code];
  if (reason === undefined) return errorMessage(error);
  if ("path" in dialed) return `dial ${network} ${dialed.path}: connect: ${reason}`;
  const { address } = error as { readonly address?: unknown };
  const host = typeof address === "string" ? address : dialed.host;
  return `dial ${network} ${hostAndPort(host, dialed.port)}: connect: ${reason}`;
}

/** `host:port`, with brackets around addresses of IPv6. */
export function hostAndPort(host: string, port: number | string): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
