import { statSync } from "node:fs";
import { systemCode } from "@boxship/base";
import { Attributes } from "./netlink/attributes.ts";
import { NetlinkProtocol, NetlinkSocket } from "./netlink/socket.ts";

const SOCK_DIAG_BY_FAMILY = 20;
const AF_UNIX = 1;
const LISTENING = 1 << 10;
const SHOW_FILE = 0x2;
const SHOW_QUEUE = 0x10;
const REQUEST_SIZE = 24;
const ANSWER_HEADER = 16;
const ATTRIBUTE = { file: 1, queue: 4 } as const;

/**
 * How many connections wait to be accepted at a listening unix socket of this network namespace (unix_diag, by the
 * socket's file: what it was bound to may be another name). 0 when nobody listens there.
 *
 * @returns undefined where the kernel does not tell: it is built without sock_diag, or may not load the module
 */
export function pendingConnections(path: string): number | undefined {
  const file = statSync(path, { throwIfNoEntry: false, bigint: true });
  if (file === undefined) return 0;
  const payload = Buffer.alloc(REQUEST_SIZE);
  payload.writeUInt8(AF_UNIX, 0);
  payload.writeUInt32LE(LISTENING, 4);
  payload.writeUInt32LE(SHOW_FILE | SHOW_QUEUE, 12);
  // No cookie.
  payload.fill(0xff, 16);
  const identity = `${file.ino & 0xffff_ffffn} ${kernelDevice(file.dev)}`;
  try {
    using socket = new NetlinkSocket(NetlinkProtocol.SocketDiagnosis);
    for (const answer of socket.dump({ type: SOCK_DIAG_BY_FAMILY, payload, about: "list listening unix sockets" })) {
      const attributes = new Attributes(answer.payload.subarray(ANSWER_HEADER));
      const found = attributes.get(ATTRIBUTE.file);
      if (found === undefined || `${found.readUInt32LE(0)} ${found.readUInt32LE(4)}` !== identity) continue;
      return attributes.get(ATTRIBUTE.queue)?.readUInt32LE(0);
    }
  } catch (error) {
    if (["ENOENT", "EPROTONOSUPPORT", "EINVAL"].includes(systemCode(error) ?? "")) return undefined;
    throw error;
  }
  return 0;
}

/** A device number as the kernel has it inside; stat(2) splits the minor one. */
function kernelDevice(device: bigint): bigint {
  const major = (device >> 8n) & 0xfffn;
  const minor = (device & 0xffn) | ((device >> 12n) & 0xfff00n);
  return (major << 20n) | minor;
}
