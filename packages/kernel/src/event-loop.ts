import { getCurrentEventLoop } from "node:ffi";
import { isMainThread } from "node:worker_threads";
import { Internal, Unsupported } from "@boxship/base";
import { type Descriptor, descriptorNumber, keepForever } from "./fd.ts";
import { check, libc, type Pointer } from "./ffi.ts";

/**
 * Any pollable descriptor in Node's event loop: pidfds, eventfds, inotify, sockets of every kind, terminals.
 *
 * All watched descriptors sit in one epoll instance of ours, and that instance is watched by libuv through a single
 * `uv_poll_t` on the loop that `node:ffi` hands out. When it becomes readable, libuv calls a callback that only schedules
 * an immediate (nothing may throw or run promises inside a native callback); the immediate, which runs in the same turn
 * of the loop, asks epoll what is ready. Readiness is level-triggered: what a callback leaves unread is reported again.
 *
 * Main thread only. A worker's loop is checked for foreign handles when the worker ends, and Node aborts on finding one.
 */

const UV_POLL = 8;
const UV_READABLE = 1;

const uvHandleSize = libc.bind<bigint>("uv_handle_size", ["u64", "i32"]);
const uvPollInit = libc.bind<number>("uv_poll_init", ["i32", "pointer", "pointer", "i32"]);
const uvPollStart = libc.bind<number>("uv_poll_start", ["i32", "pointer", "i32", "pointer"]);
const uvPollStop = libc.bind<number>("uv_poll_stop", ["i32", "pointer"]);
const uvRef = libc.bind<void>("uv_ref", ["void", "pointer"]);
const uvUnref = libc.bind<void>("uv_unref", ["void", "pointer"]);
const calloc = libc.bind<bigint>("calloc", ["pointer", "u64", "u64"]);

const epollCreate = libc.bind<number>("epoll_create1", ["i32", "i32"]);
const epollControl = libc.bind<number>("epoll_ctl", ["i32", "i32", "i32", "i32", "pointer"]);
const epollWait = libc.bind<number>("epoll_wait", ["i32", "i32", "pointer", "i32", "i32"]);

const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;
const EPOLLIN = 0x1;
const EPOLLPRI = 0x2;
const EPOLLOUT = 0x4;
const EPOLLERR = 0x8;
const EPOLLHUP = 0x10;

// struct epoll_event is packed on x64 only.
const PACKED = process.arch === "x64";
const EVENT_SIZE = PACKED ? 12 : 16;
const DATA_OFFSET = PACKED ? 4 : 8;
const EVENTS_AT_ONCE = 256;

/** What a watch waits for. Errors and hang-ups are reported as well, unless nothing is waited for. */
export interface Interest {
  readonly readable?: boolean;
  readonly writable?: boolean;
  /** Exceptional conditions: a changed file of cgroup or proc, out-of-band data. */
  readonly priority?: boolean;
}

export interface Readiness {
  readonly readable: boolean;
  readonly writable: boolean;
  readonly priority: boolean;
  readonly error: boolean;
  readonly hangup: boolean;
}

/** A watched descriptor. Dispose it before the descriptor is closed; disposing twice is harmless. */
export interface Watch extends Disposable {
  /** Waits for something else from now on. With an empty interest nothing is reported and the process may end. */
  change(interest: Interest): void;
  /** Lets the process end although this watch waits. */
  unref(): void;
  ref(): void;
}

interface Entry {
  readonly id: number;
  readonly number: number;
  readonly callback: (ready: Readiness) => void;
  /** What epoll was asked for; 0 when it does not know the descriptor. */
  mask: number;
  referenced: boolean;
  keepsAlive: boolean;
}

/** The process's one epoll instance and its place in the loop. */
class EventLoop {
  readonly #epoll: number;
  readonly #handle: Pointer;
  readonly #entries = new Map<number, Entry>();
  readonly #events = Buffer.alloc(EVENT_SIZE * EVENTS_AT_ONCE);
  #nextId = 1;
  #keepingAlive = 0;
  #scheduled = false;

  constructor() {
    if (!isMainThread) {
      throw new Unsupported("descriptors are watched on the main thread only", {
        remedy: "hand the descriptor's number to the main thread and watch it there",
      });
    }
    this.#epoll = check(epollCreate(EPOLL_CLOEXEC), "epoll_create1");
    keepForever(this.#epoll);
    this.#handle = calloc(1n, uvHandleSize(UV_POLL));
    uv(uvPollInit(getCurrentEventLoop(), this.#handle, this.#epoll), "uv_poll_init");
    const callback = libc
      .open()
      .registerCallback({ return: "void", arguments: ["pointer", "i32", "i32"] }, () => this.#schedule());
    uv(uvPollStart(this.#handle, UV_READABLE, callback), "uv_poll_start");
    uvUnref(this.#handle);
    // Node turns the loop once more while it tears itself down; a callback into JavaScript would abort then.
    process.prependListener("exit", () => uvPollStop(this.#handle));
  }

  add(descriptor: Descriptor, interest: Interest, callback: (ready: Readiness) => void): Watch {
    // Ids are never used twice, so that an event for a watch that is gone cannot reach its successor.
    const id = this.#nextId++;
    const number = descriptorNumber(descriptor);
    const entry: Entry = { id, number, callback, mask: 0, referenced: true, keepsAlive: false };
    this.#change(entry, eventMask(interest));
    this.#entries.set(id, entry);
    return {
      change: (next) => {
        if (this.#entries.has(id)) this.#change(entry, eventMask(next));
      },
      ref: () => this.#reference(entry, true),
      unref: () => this.#reference(entry, false),
      [Symbol.dispose]: () => {
        if (this.#entries.delete(id)) this.#change(entry, 0);
      },
    };
  }

  #change(entry: Entry, mask: number): void {
    if (mask === entry.mask) return;
    const event = Buffer.alloc(EVENT_SIZE);
    event.writeUInt32LE(mask, 0);
    event.writeBigUInt64LE(BigInt(entry.id), DATA_OFFSET);
    // A hang-up would be reported for ever to a watch that waits for nothing, so such a watch leaves epoll.
    const operation = mask === 0 ? EPOLL_CTL_DEL : entry.mask === 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    check(epollControl(this.#epoll, operation, entry.number, event), "epoll_ctl", String(entry.number));
    entry.mask = mask;
    this.#countAlive(entry);
  }

  #reference(entry: Entry, referenced: boolean): void {
    entry.referenced = referenced;
    this.#countAlive(entry);
  }

  #countAlive(entry: Entry): void {
    const keepsAlive = entry.mask !== 0 && entry.referenced;
    if (entry.keepsAlive === keepsAlive) return;
    entry.keepsAlive = keepsAlive;
    this.#keepingAlive += keepsAlive ? 1 : -1;
    if (keepsAlive && this.#keepingAlive === 1) uvRef(this.#handle);
    if (!keepsAlive && this.#keepingAlive === 0) uvUnref(this.#handle);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#dispatch());
  }

  #dispatch(): void {
    this.#scheduled = false;
    const count = check(epollWait(this.#epoll, this.#events, EVENTS_AT_ONCE, 0), "epoll_wait");
    // Copied first: a callback may add watches, and one that throws must not lose the others' place in the buffer.
    const ready: [id: number, flags: number][] = [];
    for (let index = 0; index < count; index++) {
      const offset = index * EVENT_SIZE;
      ready.push([Number(this.#events.readBigUInt64LE(offset + DATA_OFFSET)), this.#events.readUInt32LE(offset)]);
    }
    for (const [id, flags] of ready) this.#entries.get(id)?.callback(readiness(flags));
  }
}

function eventMask({ readable, writable, priority }: Interest): number {
  return (readable ? EPOLLIN : 0) | (writable ? EPOLLOUT : 0) | (priority ? EPOLLPRI : 0);
}

function readiness(flags: number): Readiness {
  return {
    readable: (flags & EPOLLIN) !== 0,
    writable: (flags & EPOLLOUT) !== 0,
    priority: (flags & EPOLLPRI) !== 0,
    error: (flags & EPOLLERR) !== 0,
    hangup: (flags & EPOLLHUP) !== 0,
  };
}

function uv(result: number, call: string): void {
  if (result !== 0) throw new Internal(`${call} failed with ${result}`);
}

let eventLoop: EventLoop | undefined;

/**
 * Calls `callback` whenever the descriptor is ready for what the interest names, or has failed or hung up. The watch does
 * not own the descriptor. It keeps the process alive unless {@link Watch.unref} was called.
 *
 * Throws EPERM for files that cannot be polled (regular files, directories) and EEXIST for a descriptor watched already.
 */
export function watchDescriptor(
  descriptor: Descriptor,
  interest: Interest,
  callback: (ready: Readiness) => void,
): Watch {
  eventLoop ??= new EventLoop();
  return eventLoop.add(descriptor, interest, callback);
}
