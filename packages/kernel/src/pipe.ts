import { Fd } from "./fd.ts";
import { check, libc } from "./ffi.ts";

const pipe2Call = libc.bind<number>("pipe2", ["i32", "pointer", "i32"]);
const socketpairCall = libc.bind<number>("socketpair", ["i32", "i32", "i32", "i32", "pointer"]);

const O_CLOEXEC = 0o2000000;

export interface Pipe extends Disposable {
  readonly readEnd: Fd;
  readonly writeEnd: Fd;
}

/** `pipe2(2)`: both ends blocking and close-on-exec. Disposing closes whichever end is still owned. */
export function pipe(): Pipe {
  const [readEnd, writeEnd] = pairOf((buffer) => check(pipe2Call(buffer, O_CLOEXEC), "pipe2"));
  return {
    readEnd,
    writeEnd,
    [Symbol.dispose]() {
      readEnd.close();
      writeEnd.close();
    },
  };
}

/** Types of unix sockets. */
export const SocketType = { Stream: 1, Datagram: 2, SequencedPacket: 5 } as const;

const AF_UNIX = 1;
const SOCK_CLOEXEC = 0o2000000;

/** `socketpair(2)` of unix sockets, close-on-exec. @param type {@link SocketType}. @default Stream */
export function socketPair(type: number = SocketType.Stream): readonly [Fd, Fd] {
  return pairOf((buffer) => check(socketpairCall(AF_UNIX, type | SOCK_CLOEXEC, 0, buffer), "socketpair"));
}

function pairOf(call: (buffer: Buffer) => void): readonly [Fd, Fd] {
  const buffer = Buffer.alloc(8);
  call(buffer);
  return [new Fd(buffer.readInt32LE(0)), new Fd(buffer.readInt32LE(4))];
}
