import { unlinkSync } from "node:fs";
import { FailedPrecondition, systemCode } from "@boxship/base";
import { receiveDescriptors } from "./descriptor-passing.ts";
import { isTerminal } from "./descriptor-stream.ts";
import { watchDescriptor } from "./event-loop.ts";
import { type Descriptor, descriptorNumber, Fd } from "./fd.ts";
import { check, libc } from "./ffi.ts";
import { CurrentDirectory, OpenFlag, openat } from "./open.ts";
import { listenUnixSocket } from "./unix-socket.ts";

/** Pseudo-terminals: pairs, sizes, modes, and receiving one from an OCI runtime. */

const ioctlPointer = libc.bind<number>("ioctl", ["i32", "i32", "u64", "pointer"]);
const tcgetattrCall = libc.bind<number>("tcgetattr", ["i32", "i32", "pointer"]);
const tcsetattrCall = libc.bind<number>("tcsetattr", ["i32", "i32", "i32", "pointer"]);
const cfmakerawCall = libc.bind<void>("cfmakeraw", ["void", "pointer"]);

const TIOCGWINSZ = 0x5413n;
const TIOCSWINSZ = 0x5414n;
const TIOCSPTLCK = 0x40045431n;
const TIOCGPTPEER = 0x5441n;
const TCSADRAIN = 1;
// struct termios of glibc has 60 bytes.
const TERMIOS_SIZE = 128;

export interface WindowSize {
  readonly rows: number;
  readonly columns: number;
}

/** The size of a terminal, in characters. */
export function windowSize(terminal: Descriptor): WindowSize {
  const buffer = Buffer.alloc(8);
  check(ioctlPointer(descriptorNumber(terminal), TIOCGWINSZ, buffer), "ioctl TIOCGWINSZ");
  return { rows: buffer.readUInt16LE(0), columns: buffer.readUInt16LE(2) };
}

/** Sets the size of a terminal; the programs in it get SIGWINCH when it differs. */
export function setWindowSize(terminal: Descriptor, size: WindowSize): void {
  const buffer = Buffer.alloc(8);
  buffer.writeUInt16LE(size.rows, 0);
  buffer.writeUInt16LE(size.columns, 2);
  check(ioctlPointer(descriptorNumber(terminal), TIOCSWINSZ, buffer), "ioctl TIOCSWINSZ");
}

export interface PseudoTerminal extends Disposable {
  readonly master: Fd;
  readonly slave: Fd;
}

/** A new pseudo-terminal; neither end becomes our controlling terminal. Disposing closes what is still owned. */
export function openPseudoTerminal(size?: WindowSize): PseudoTerminal {
  const flags = OpenFlag.ReadWrite | OpenFlag.NoControllingTerminal;
  const master = openat(CurrentDirectory, "/dev/ptmx", flags);
  try {
    check(ioctlPointer(master.number, TIOCSPTLCK, Buffer.alloc(4)), "ioctl TIOCSPTLCK");
    // Through the master and not by a path: the right devpts instance, whatever is mounted on /dev/pts.
    const peer = BigInt(flags | OpenFlag.CloseOnExec);
    const slave = new Fd(check(ioctlPointer(master.number, TIOCGPTPEER, peer), "ioctl TIOCGPTPEER"));
    if (size !== undefined) setWindowSize(master, size);
    return {
      master,
      slave,
      [Symbol.dispose]() {
        master.close();
        slave.close();
      },
    };
  } catch (error) {
    master.close();
    throw error;
  }
}

/** Raw mode: every byte passes unchanged, in both directions, and makes no signals. Dispose the result to go back. */
export function makeRaw(terminal: Descriptor): Disposable {
  const number = descriptorNumber(terminal);
  const original = Buffer.alloc(TERMIOS_SIZE);
  check(tcgetattrCall(number, original), "tcgetattr", String(number));
  const raw = Buffer.from(original);
  cfmakerawCall(raw);
  check(tcsetattrCall(number, TCSADRAIN, raw), "tcsetattr", String(number));
  return {
    [Symbol.dispose]: () => void check(tcsetattrCall(number, TCSADRAIN, original), "tcsetattr", String(number)),
  };
}

/** Waits for the terminal that an OCI runtime makes for a process. */
export interface ConsoleSocket extends Disposable {
  readonly path: string;
  /**
   * The terminal's master, once; the receiver owns it. Rejects when something else arrives, and when disposed before.
   */
  readonly master: Promise<Fd>;
}

/**
 * Listens for one pseudo-terminal master, as runtimes send it to `--console-socket PATH`: one connection, one message with
 * one descriptor. Disposing removes the socket's file. The runtime itself cannot reach paths of 108 bytes and more.
 */
export function listenConsoleSocket(path: string): ConsoleSocket {
  const { promise, resolve, reject } = Promise.withResolvers<Fd>();
  // Whoever disposes without waiting does not want to hear of it.
  promise.catch(() => {});
  const connections = new Set<Disposable>();
  const onConnection = (connection: Fd) => {
    const watch = watchDescriptor(connection, { readable: true }, () => {
      try {
        const master = receiveMaster(connection);
        if (master === undefined) return;
        resolve(master);
      } catch (error) {
        reject(error);
      }
      end();
    });
    const owner = {
      [Symbol.dispose]() {
        watch[Symbol.dispose]();
        connection.close();
      },
    };
    const end = () => {
      owner[Symbol.dispose]();
      connections.delete(owner);
    };
    connections.add(owner);
  };
  const listener = listenUnixSocket(path, onConnection, reject);
  return {
    path,
    master: promise,
    [Symbol.dispose]() {
      listener[Symbol.dispose]();
      for (const connection of connections) connection[Symbol.dispose]();
      connections.clear();
      removeFile(path);
      reject(new FailedPrecondition(`console socket ${path} was closed before a terminal arrived`));
    },
  };
}

function receiveMaster(connection: Fd): Fd | undefined {
  const message = receiveDescriptors(connection);
  if (message === undefined) return undefined;
  const [master, ...others] = message.descriptors;
  for (const other of others) other.close();
  if (master === undefined) throw new FailedPrecondition("the runtime closed the console socket without a terminal");
  if (isTerminal(master)) return master;
  master.close();
  throw new FailedPrecondition("the runtime sent something that is no terminal");
}

function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}
