import { check, libc } from "./ffi.ts";

const getsockoptCall = libc.bind<number>("getsockopt", ["i32", "i32", "i32", "i32", "pointer", "pointer"]);

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;

/** Who connected a unix socket, as `SO_PEERCRED` (unix(7)) has kept it since. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** @throws SyscallError for a descriptor that is no unix socket */
export function peerCredentials(descriptor: number): PeerCredentials {
  const credentials = Buffer.alloc(12);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(credentials.length);
  check(getsockoptCall(descriptor, SOL_SOCKET, SO_PEERCRED, credentials, length), "getsockopt");
  return {
    pid: credentials.readInt32LE(0),
    uid: credentials.readUInt32LE(4),
    gid: credentials.readUInt32LE(8),
  };
}
