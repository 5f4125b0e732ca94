import type { Socket } from "node:net";
import type { Peer } from "@boxship/docker-api";
import { peerCredentials } from "@boxship/kernel";

const known = new WeakMap<Socket, Peer>();

/** Who is on the other end; `undefined` for a connection that is over. */
export function peerOf(socket: Socket): Peer | undefined {
  const before = known.get(socket);
  if (before !== undefined) return before;
  const descriptor = (socket as Socket & { readonly _handle?: { readonly fd?: number } | null })._handle?.fd;
  if (descriptor === undefined || descriptor < 0) return undefined;
  const peer = peerCredentials(descriptor);
  known.set(socket, peer);
  return peer;
}
