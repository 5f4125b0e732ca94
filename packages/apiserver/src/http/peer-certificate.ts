import type { KeyObject } from "node:crypto";
import type { TLSSocket } from "node:tls";
import type { CertificateSubject } from "../contract.ts";
import type { Incoming } from "./read-body.ts";

interface Seen {
  readonly subject: CertificateSubject | undefined;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

const seen = new WeakMap<object, Seen | "refused">();
const NONE: Seen = { subject: undefined, until: Number.POSITIVE_INFINITY };

/**
 * Whom the client's certificate names; undefined without one, and for one that names nobody. "refused" is one that our
 * authority has not signed, or whose time is not now: whoever has it has to be known by something else.
 *
 * @param frontProxy of the authority of those who say in headers who asks
 * @param now milliseconds since the epoch: a connection may last longer than its certificate
 */
export function peerCertificate(
  request: Incoming,
  frontProxy: KeyObject | undefined,
  now: number,
): CertificateSubject | "refused" | undefined {
  const holder = "stream" in request ? request.stream.session : request.socket;
  if (holder === undefined || holder === null) return undefined;
  let found = seen.get(holder);
  if (found === undefined) {
    found = read(("stream" in request ? request.stream.session?.socket : request.socket) as TLSSocket, frontProxy);
    seen.set(holder, found);
  }
  return found === "refused" || now > found.until ? "refused" : found.subject;
}

function read(socket: TLSSocket, frontProxy: KeyObject | undefined): Seen | "refused" {
  // A plain socket has no certificates.
  if (typeof socket.getPeerCertificate !== "function") return NONE;
  const { subject, ext_key_usage: usages, valid_to: validTo } = socket.getPeerCertificate();
  if (subject === undefined) return NONE;
  if (!socket.authorized) return "refused";
  if (usages !== undefined && !usages.includes(CLIENT_AUTHENTICATION)) return "refused";
  const { CN: name, O: organizations = [] } = subject as { CN?: string | string[]; O?: string | string[] };
  // Of several, Go takes the last.
  const commonName = Array.isArray(name) ? name.at(-1) : name;
  if (!commonName) return NONE;
  const isFrontProxy = frontProxy !== undefined && socket.getPeerX509Certificate()?.verify(frontProxy) === true;
  return {
    subject: { commonName, organizations: [organizations].flat(), ...(isFrontProxy ? { isFrontProxy } : {}) },
    until: Date.parse(validTo),
  };
}

const CLIENT_AUTHENTICATION = "1.3.6.1.5.5.7.3.2";
