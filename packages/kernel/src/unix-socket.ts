import { basename, dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { SyscallError } from "./errno.ts";
import { watchDescriptor } from "./event-loop.ts";
import { type Descriptor, descriptorNumber, Fd } from "./fd.ts";
import { check, checkLong, libc, readErrno } from "./ffi.ts";
import { CurrentDirectory, OpenFlag, openat } from "./open.ts";
import { SocketType } from "./pipe.ts";

/** Unix sockets of any type, by path, paths of any length included. Sockets are non-blocking and close-on-exec. */

const socketCall = libc.bind<number>("socket", ["i32", "i32", "i32", "i32"]);
const bindCall = libc.bind<number>("bind", ["i32", "i32", "pointer", "u32"]);
const listenCall = libc.bind<number>("listen", ["i32", "i32", "i32"]);
const connectCall = libc.bind<number>("connect", ["i32", "i32", "pointer", "u32"]);
const acceptCall = libc.bind<number>("accept4", ["i32", "i32", "pointer", "pointer", "i32"]);
const sendCall = libc.bind<bigint>("send", ["i64", "i32", "pointer", "u64", "i32"]);
const receiveCall = libc.bind<bigint>("recv", ["i64", "i32", "pointer", "u64", "i32"], { nothingYet: true });

const AF_UNIX = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const EAGAIN = 11;
const EMSGSIZE = 90;

// sun_path, its closing NUL included.
const LONGEST_ADDRESS = 108;

/** The address of a path; a long one is reached through a descriptor of its directory, which is in the result then. */
function address(path: string): { readonly bytes: Buffer; readonly directory: Fd | undefined } {
  if (Buffer.byteLength(path) < LONGEST_ADDRESS) return { bytes: addressBytesOf(path), directory: undefined };
  const directory = openat(CurrentDirectory, dirname(path), OpenFlag.Path | OpenFlag.Directory);
  const short = `/proc/self/fd/${directory.number}/${basename(path)}`;
  if (Buffer.byteLength(short) < LONGEST_ADDRESS) return { bytes: addressBytesOf(short), directory };
  directory.close();
  throw new SyscallError(36, "sockaddr_un", path);
}

function addressBytesOf(path: string): Buffer {
  const bytes = Buffer.alloc(2 + Buffer.byteLength(path) + 1);
  bytes.writeUInt16LE(AF_UNIX, 0);
  bytes.write(path, 2);
  return bytes;
}

function newSocket(type: number): Fd {
  return new Fd(check(socketCall(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket"));
}

function withAddress(path: string, call: (bytes: Buffer) => number, name: string): void {
  const { bytes, directory } = address(path);
  try {
    check(call(bytes), name, path);
  } finally {
    directory?.close();
  }
}

const FIRST_RETRY_MS = 1;
const LONGEST_RETRY_MS = 32;
/** A listener that has many come at once on a busy machine takes seconds. */
const PATIENCE_MS = 10_000;

/**
 * Connects to a listening unix socket. While the listener's queue is full the call is repeated for about ten seconds.
 * Throws ENOENT, ECONNREFUSED (nobody listens), EPROTOTYPE (another type), EAGAIN.
 *
 * @param type {@link SocketType}. @default Stream
 */
export async function connectUnixSocket(path: string, type: number = SocketType.Stream): Promise<Fd> {
  const socket = newSocket(type);
  try {
    for (let wait = FIRST_RETRY_MS, waited = 0; ; wait = Math.min(wait * 2, LONGEST_RETRY_MS)) {
      try {
        withAddress(path, (bytes) => connectCall(socket.number, bytes, bytes.length), "connect");
        return socket;
      } catch (error) {
        const full = error instanceof SyscallError && error.errno === EAGAIN;
        if (!full || waited > PATIENCE_MS) throw error;
      }
      // A full queue of a unix socket does not make the connecting one writable later: there is nothing to watch.
      await delay(wait);
      waited += wait;
    }
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** A listening unix socket. Disposing stops listening; the file stays and is the caller's to remove. */
export interface UnixListener extends Disposable {
  readonly path: string;
}

export interface ListenOptions {
  /** {@link SocketType}. @default Stream */
  readonly type?: number;
  /** Connections that wait to be accepted. @default 128 */
  readonly backlog?: number;
}

/**
 * Listens on a path. `onConnection` owns the descriptor it gets; an error while accepting goes to `onError` and the
 * listener goes on.
 */
export function listenUnixSocket(
  path: string,
  onConnection: (connection: Fd) => void,
  onError: (error: unknown) => void,
  options: ListenOptions = {},
): UnixListener {
  const socket = newSocket(options.type ?? SocketType.Stream);
  try {
    withAddress(path, (bytes) => bindCall(socket.number, bytes, bytes.length), "bind");
    check(listenCall(socket.number, options.backlog ?? 128), "listen", path);
  } catch (error) {
    socket.close();
    throw error;
  }
  const watch = watchDescriptor(socket, { readable: true }, () => {
    try {
      const connection = accept(socket);
      if (connection !== undefined) onConnection(connection);
    } catch (error) {
      onError(error);
    }
  });
  return {
    path,
    [Symbol.dispose]() {
      watch[Symbol.dispose]();
      socket.close();
    },
  };
}

/** One waiting connection, or undefined when there is none. */
function accept(socket: Fd): Fd | undefined {
  const number = acceptCall(socket.number, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (number !== -1) return new Fd(number);
  const errno = readErrno();
  // A client that gave up meanwhile is no error of ours.
  if (errno === EAGAIN || errno === 103) return undefined;
  throw new SyscallError(errno, "accept4");
}

/** Sends one message without waiting. False when the peer's queue is full. */
export function sendMessage(socket: Fd, message: Uint8Array): boolean {
  const sent = sendCall(socket.number, message, BigInt(message.length), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent !== -1n) return true;
  const errno = readErrno();
  if (errno === EAGAIN) return false;
  throw new SyscallError(errno, "send", String(socket.number));
}

/**
 * Receives one message without waiting: its length, 0 at the end, undefined when there is none now. Throws EMSGSIZE, with
 * the message lost, when it is larger than the buffer.
 */
export function receiveMessage(socket: Descriptor, buffer: Uint8Array): number | undefined {
  const number = descriptorNumber(socket);
  const result = receiveCall(number, buffer, BigInt(buffer.length), MSG_DONTWAIT | MSG_TRUNC);
  if (result === -1n) {
    const errno = readErrno();
    if (errno === EAGAIN) return undefined;
    throw new SyscallError(errno, "recv", String(number));
  }
  const length = checkLong(result, "recv");
  if (length > buffer.length) throw new SyscallError(EMSGSIZE, "recv", `${length} bytes`);
  return length;
}
