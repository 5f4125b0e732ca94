import { type Watch, watchDescriptor } from "./event-loop.ts";
import { Fd, keepForever } from "./fd.ts";
import { check, cString, libc } from "./ffi.ts";
import { read } from "./file-data.ts";

/** Events of `inotify(7)` and options of a watch. */
export const InotifyMask = {
  Access: 0x1,
  Modify: 0x2,
  Attributes: 0x4,
  CloseWrite: 0x8,
  CloseNoWrite: 0x10,
  Open: 0x20,
  MovedFrom: 0x40,
  MovedTo: 0x80,
  Create: 0x100,
  Delete: 0x200,
  DeleteSelf: 0x400,
  MoveSelf: 0x800,
} as const;

const IN_UNMOUNT = 0x2000;
const IN_Q_OVERFLOW = 0x4000;
const IN_IGNORED = 0x8000;
const IN_ONLYDIR = 0x1000000;
const IN_MASK_ADD = 0x20000000;
const IN_ISDIR = 0x40000000;

/** Something that happened to a watched file or directory. */
export type InotifyEvent =
  | {
      readonly kind: "event";
      /** {@link InotifyMask} bits. */
      readonly mask: number;
      /** The entry's name within a watched directory; empty for the watched object itself. */
      readonly name: string;
      /** Joins the two halves of a rename. */
      readonly cookie: number;
      readonly directory: boolean;
    }
  /** Events were lost: look at the directory itself. */
  | { readonly kind: "overflow" }
  /** The watched object is gone or unmounted; no more events follow. */
  | { readonly kind: "gone" };

/** A watch. Disposing it ends it; disposing twice is harmless. */
export interface InotifyWatch extends Disposable, AsyncDisposable {
  readonly path: string;
}

interface Listener {
  readonly mask: number;
  readonly callback: (event: InotifyEvent) => void;
}

const inotifyInit = libc.bind<number>("inotify_init1", ["i32", "i32"]);
const inotifyAdd = libc.bind<number>("inotify_add_watch", ["i32", "i32", "pointer", "u32"]);
const inotifyRemove = libc.bind<number>("inotify_rm_watch", ["i32", "i32", "i32"]);

const NONBLOCK_CLOEXEC = 0o2004000;
const BUFFER_SIZE = 65536;
const HEADER_SIZE = 16;

/**
 * The process's one inotify instance: the kernel allows a user only 128 of them, and closing one waits for a grace period.
 */
class Inotify {
  readonly #fd: Fd;
  readonly #watch: Watch;
  readonly #buffer = Buffer.alloc(BUFFER_SIZE);
  /** By watch descriptor. The kernel gives the same one to every watch of the same object. */
  readonly #listeners = new Map<number, Set<Listener>>();

  constructor() {
    this.#fd = new Fd(check(inotifyInit(NONBLOCK_CLOEXEC), "inotify_init1"));
    keepForever(this.#fd.number);
    this.#watch = watchDescriptor(this.#fd, { readable: true }, () => this.#receive());
  }

  add(path: string, mask: number, callback: (event: InotifyEvent) => void): InotifyWatch {
    const descriptor = check(inotifyAdd(this.#fd.number, cString(path), mask | IN_MASK_ADD), "inotify_add_watch", path);
    const listener: Listener = { mask, callback };
    const listeners = this.#listeners.get(descriptor) ?? new Set();
    this.#listeners.set(descriptor, listeners.add(listener));
    this.#watch.ref();
    const dispose = () => this.#remove(descriptor, listeners, listener);
    return { path, [Symbol.dispose]: dispose, [Symbol.asyncDispose]: async () => dispose() };
  }

  #remove(descriptor: number, listeners: Set<Listener>, listener: Listener): void {
    if (!listeners.delete(listener) || listeners.size > 0) return;
    // The kernel drops a watch by itself when its object is gone, and may then use the number again for another.
    if (this.#listeners.get(descriptor) === listeners) {
      this.#forget(descriptor);
      check(inotifyRemove(this.#fd.number, descriptor), "inotify_rm_watch");
    }
  }

  #forget(descriptor: number): void {
    this.#listeners.delete(descriptor);
    if (this.#listeners.size === 0) this.#watch.unref();
  }

  #receive(): void {
    const length = read(this.#fd, this.#buffer) ?? 0;
    // Copied, because a callback may lead to another read.
    const bytes = Buffer.from(this.#buffer.subarray(0, length));
    for (let offset = 0; offset < length; ) {
      const nameLength = bytes.readUInt32LE(offset + 12);
      const name = bytes.subarray(offset + HEADER_SIZE, offset + HEADER_SIZE + nameLength);
      this.#deliver(
        bytes.readInt32LE(offset),
        bytes.readUInt32LE(offset + 4),
        bytes.readUInt32LE(offset + 8),
        name.subarray(0, nameLength === 0 ? 0 : name.indexOf(0)).toString("utf8"),
      );
      offset += HEADER_SIZE + nameLength;
    }
  }

  #deliver(descriptor: number, mask: number, cookie: number, name: string): void {
    if ((mask & IN_Q_OVERFLOW) !== 0) {
      const everybody = [...this.#listeners.values()].flatMap((listeners) => [...listeners]);
      for (const listener of everybody) notify(listener, { kind: "overflow" });
      return;
    }
    const listeners = [...(this.#listeners.get(descriptor) ?? [])];
    const gone = (mask & IN_IGNORED) !== 0;
    if (gone) this.#forget(descriptor);
    for (const listener of listeners) {
      if (gone) notify(listener, { kind: "gone" });
      else if ((mask & listener.mask) !== 0) {
        const directory = (mask & IN_ISDIR) !== 0;
        notify(listener, { kind: "event", mask: mask & ~(IN_ISDIR | IN_UNMOUNT), name, cookie, directory });
      }
    }
  }
}

/** A callback that throws must not take the events behind it along; its error is uncaught all the same. */
function notify(listener: Listener, event: InotifyEvent): void {
  try {
    listener.callback(event);
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
  }
}

let inotify: Inotify | undefined;

/**
 * Watches the entries of a directory, not those below its subdirectories. Events arrive in order, after the call returned;
 * whoever wants to miss nothing looks at the directory once after watching began. Throws ENOTDIR, ENOENT, ENOSPC (the
 * user's limit of watches). Main thread only.
 *
 * @param mask {@link InotifyMask} bits
 */
export function watchDirectory(path: string, mask: number, callback: (event: InotifyEvent) => void): InotifyWatch {
  inotify ??= new Inotify();
  return inotify.add(path, mask | IN_ONLYDIR, callback);
}

/** As {@link watchDirectory}, for a file, such as a cgroup's `memory.events`. */
export function watchFile(path: string, mask: number, callback: (event: InotifyEvent) => void): InotifyWatch {
  inotify ??= new Inotify();
  return inotify.add(path, mask, callback);
}
