import { SyscallError } from "../errno.ts";
import { Fd } from "../fd.ts";
import { check, libc } from "../ffi.ts";
import { AddressFamily, addressBytes, addressFamily } from "./ip-address.ts";

const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const IPPROTO_IP = 0;
const IP_TRANSPARENT = 19;
const IPV6_TRANSPARENT = 75;
const EINPROGRESS = 115;
const PROTOCOL_NUMBER = { tcp: 6, udp: 17, sctp: 132 } as const;
const BACKLOG = 511;

const socketCall = libc.bind<number>("socket", ["i32", "i32", "i32", "i32"]);
const setsockoptCall = libc.bind<number>("setsockopt", ["i32", "i32", "i32", "i32", "pointer", "u32"]);
const bindCall = libc.bind<number>("bind", ["i32", "i32", "pointer", "u32"]);
const connectCall = libc.bind<number>("connect", ["i32", "i32", "pointer", "u32"]);
const listenCall = libc.bind<number>("listen", ["i32", "i32", "i32"]);
const getsocknameCall = libc.bind<number>("getsockname", ["i32", "i32", "pointer", "pointer"]);

export interface BoundSocketOptions {
  readonly protocol: "tcp" | "udp" | "sctp";
  readonly address: string;
  /** 0: the kernel picks one. */
  readonly port: number;
}

export interface BoundSocket {
  readonly fd: Fd;
  readonly port: number;
}

/**
 * A non-blocking socket, bound and (except UDP) listening, in the network namespace of the calling thread; IPv6 sockets
 * take IPv6 only. It can be handed to `net.Server.listen({ fd })` or `dgram.Socket.bind({ fd })`, in any thread. The
 * caller owns it.
 *
 * Fails with `EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES`, or `EPROTONOSUPPORT` and `EAFNOSUPPORT` on a kernel without the
 * protocol or family.
 */
export function bindSocket(options: BoundSocketOptions): BoundSocket {
  const { protocol, address, port } = options;
  const about = `${protocol} ${address}:${port}`;
  const family = addressFamily(address);
  const type = (protocol === "udp" ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
  using fd = new Fd(check(socketCall(family, type, PROTOCOL_NUMBER[protocol]), "socket", about));
  const on = Buffer.from(Int32Array.of(1).buffer);
  // Not for UDP, where it would let two sockets share the port.
  if (protocol !== "udp") check(setsockoptCall(fd.number, SOL_SOCKET, SO_REUSEADDR, on, 4), "setsockopt", about);
  if (family === AddressFamily.IPv6) {
    check(setsockoptCall(fd.number, IPPROTO_IPV6, IPV6_V6ONLY, on, 4), "setsockopt", about);
  }
  const name = socketAddress(address, port);
  check(bindCall(fd.number, name, name.length), "bind", about);
  if (protocol !== "udp") check(listenCall(fd.number, BACKLOG), "listen", about);
  const bound = port === 0 ? boundPort(fd.number, about) : port;
  return { fd: new Fd(fd.release()), port: bound };
}

export interface ForeignSocketOptions {
  readonly protocol: "tcp" | "udp";
  /** Whose name it carries: an address that need not be this machine's. Both ends have the same family. */
  readonly from: { readonly address: string; readonly port: number };
  /** Where it is being connected when this returns; that it cannot be shows when it is read. @default nowhere (UDP) */
  readonly to?: { readonly address: string; readonly port: number };
}

/**
 * A non-blocking socket that speaks in somebody else's name (`IP_TRANSPARENT`, ip(7)), for the rights of a network
 * namespace's root. Answers come back only where routing leads them to this namespace's own.
 *
 * Fails with `EPERM`, `EADDRINUSE`, `EADDRNOTAVAIL`, or as connect(2).
 */
export function foreignSocket({ protocol, from, to }: ForeignSocketOptions): Fd {
  const about = `${protocol} as ${from.address}:${from.port}`;
  const family = addressFamily(from.address);
  const type = (protocol === "udp" ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
  using fd = new Fd(check(socketCall(family, type, PROTOCOL_NUMBER[protocol]), "socket", about));
  const on = Buffer.from(Int32Array.of(1).buffer);
  const [level, option] =
    family === AddressFamily.IPv6 ? [IPPROTO_IPV6, IPV6_TRANSPARENT] : [IPPROTO_IP, IP_TRANSPARENT];
  check(setsockoptCall(fd.number, level, option, on, 4), "setsockopt", about);
  if (protocol === "tcp") check(setsockoptCall(fd.number, SOL_SOCKET, SO_REUSEADDR, on, 4), "setsockopt", about);
  const own = socketAddress(from.address, from.port);
  check(bindCall(fd.number, own, own.length), "bind", about);
  if (to !== undefined) beginConnect(fd, socketAddress(to.address, to.port), `${about} to ${to.address}:${to.port}`);
  return new Fd(fd.release());
}

function beginConnect(fd: Fd, name: Buffer, about: string): void {
  try {
    check(connectCall(fd.number, name, name.length), "connect", about);
  } catch (error) {
    if (!(error instanceof SyscallError && error.errno === EINPROGRESS)) throw error;
  }
}

/** `struct sockaddr_in` or `sockaddr_in6`. */
function socketAddress(address: string, port: number): Buffer {
  const bytes = addressBytes(address);
  const isIPv4 = bytes.length === 4;
  const name = Buffer.alloc(isIPv4 ? 16 : 28);
  name.writeUInt16LE(isIPv4 ? AddressFamily.IPv4 : AddressFamily.IPv6, 0);
  name.writeUInt16BE(port, 2);
  name.set(bytes, isIPv4 ? 4 : 8);
  return name;
}

function boundPort(fd: number, about: string): number {
  const name = Buffer.alloc(28);
  const length = Buffer.from(Uint32Array.of(name.length).buffer);
  check(getsocknameCall(fd, name, length), "getsockname", about);
  return name.readUInt16BE(2);
}
