import { SyscallError } from "./errno.ts";
import { type Descriptor, descriptorNumber, Fd } from "./fd.ts";
import { addressOf, checkLongRetry, keepAlive, libc, readErrno } from "./ffi.ts";

/** Open files over unix sockets, `SCM_RIGHTS` of unix(7). */

const sendmsgCall = libc.bind<bigint>("sendmsg", ["i64", "i32", "pointer", "i32"]);
const recvmsgCall = libc.bind<bigint>("recvmsg", ["i64", "i32", "pointer", "i32"]);

const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CTRUNC = 0x8;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const EAGAIN = 11;

// struct msghdr, struct iovec and struct cmsghdr on 64-bit Linux.
const MSGHDR_SIZE = 56;
const MSGHDR_FLAGS = 48;
const MSGHDR_CONTROLLEN = 40;
const IOVEC_SIZE = 16;
const CMSGHDR_SIZE = 16;
/** The kernel passes no more at once. */
const MOST_DESCRIPTORS = 253;

const align = (size: number) => (size + 7) & ~7;

function messageHeader(bytes: Uint8Array, control: Buffer): { readonly header: Buffer; readonly kept: unknown[] } {
  const vector = Buffer.alloc(IOVEC_SIZE);
  vector.writeBigUInt64LE(addressOf(bytes), 0);
  vector.writeBigUInt64LE(BigInt(bytes.length), 8);
  const header = Buffer.alloc(MSGHDR_SIZE);
  header.writeBigUInt64LE(addressOf(vector), 16);
  header.writeBigUInt64LE(1n, 24);
  header.writeBigUInt64LE(control.length === 0 ? 0n : addressOf(control), 32);
  header.writeBigUInt64LE(BigInt(control.length), MSGHDR_CONTROLLEN);
  return { header, kept: [vector, control, bytes] };
}

/**
 * Sends bytes (at least one) and descriptors in one message; the descriptors stay ours. Throws EAGAIN when a non-blocking
 * socket is full.
 */
export function sendDescriptors(socket: Descriptor, bytes: Uint8Array, descriptors: readonly Descriptor[]): void {
  const control = Buffer.alloc(CMSGHDR_SIZE + align(descriptors.length * 4));
  control.writeBigUInt64LE(BigInt(CMSGHDR_SIZE + descriptors.length * 4), 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  descriptors.forEach((fd, index) => control.writeInt32LE(descriptorNumber(fd), CMSGHDR_SIZE + index * 4));
  const { header, kept } = messageHeader(bytes, control);
  const number = descriptorNumber(socket);
  checkLongRetry(() => sendmsgCall(number, header, MSG_NOSIGNAL), "sendmsg", String(number));
  keepAlive(kept);
}

export interface ReceivedMessage {
  readonly bytes: Buffer;
  /** Owned by the receiver, close-on-exec. */
  readonly descriptors: readonly Fd[];
}

/**
 * Receives one message with its descriptors; undefined when a non-blocking socket has none now; no bytes at the end.
 *
 * @param size most bytes that are taken. @default 4096
 */
export function receiveDescriptors(socket: Descriptor, size = 4096): ReceivedMessage | undefined {
  const bytes = Buffer.alloc(size);
  const control = Buffer.alloc(CMSGHDR_SIZE + align(MOST_DESCRIPTORS * 4));
  const { header, kept } = messageHeader(bytes, control);
  const number = descriptorNumber(socket);
  const length = recvmsgCall(number, header, MSG_CMSG_CLOEXEC);
  const errno = length === -1n ? readErrno() : 0;
  keepAlive(kept);
  if (errno === EAGAIN) return undefined;
  if (errno !== 0) throw new SyscallError(errno, "recvmsg", String(number));
  const descriptors = receivedDescriptors(control.subarray(0, Number(header.readBigUInt64LE(MSGHDR_CONTROLLEN))));
  if ((header.readInt32LE(MSGHDR_FLAGS) & MSG_CTRUNC) !== 0) {
    // Out of descriptors, most likely: those that did arrive would be missed by nobody.
    for (const fd of descriptors) fd.close();
    throw new SyscallError(24, "recvmsg", "descriptors were lost");
  }
  return { bytes: bytes.subarray(0, Number(length)), descriptors };
}

function receivedDescriptors(control: Buffer): Fd[] {
  const descriptors: Fd[] = [];
  for (let offset = 0; offset + CMSGHDR_SIZE <= control.length; ) {
    const length = Number(control.readBigUInt64LE(offset));
    if (length < CMSGHDR_SIZE) break;
    if (control.readInt32LE(offset + 8) === SOL_SOCKET && control.readInt32LE(offset + 12) === SCM_RIGHTS) {
      for (let at = offset + CMSGHDR_SIZE; at + 4 <= offset + length; at += 4) {
        descriptors.push(new Fd(control.readInt32LE(at)));
      }
    }
    offset += align(length);
  }
  return descriptors;
}
