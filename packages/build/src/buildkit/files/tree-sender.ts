import { closeSync, openSync, readdirSync, readlinkSync, readSync } from "node:fs";
import { FailedPrecondition, InvalidArgument } from "@boxship/base/errors";
import { CurrentDirectory, type FileStatus, lgetxattr, llistxattr, statx } from "@boxship/kernel";
import { Packet, PacketType } from "../wire/fsutil.ts";
import { fileKind, goMode } from "./file-mode.ts";
import { type FilePath, pathIn } from "./latin1.ts";

/** How much of a file is in one packet. */
const PIECE_BYTES = 32 << 10;

/**
 * The sending side of a file synchronisation: lists a directory, then gives the contents that the receiver asks for.
 * Synchronous: it runs in a worker, and gives packets one at a time, at the pace of who takes them.
 */
export class TreeSender {
  readonly #files = new Map<number, FilePath>();
  readonly #requested: FilePath[] = [];
  readonly #ids: number[] = [];
  readonly #listing: Generator<Uint8Array>;
  #sending: { readonly id: number; readonly descriptor: number } | undefined;
  #listed = false;
  #done = false;

  /** @param prefix directory at the receiver under which all is put, e.g. a platform's. @default none */
  constructor(root: string, prefix?: string) {
    this.#listing = this.#list(root, prefix);
  }

  /** The receiver has everything. */
  get done(): boolean {
    return this.#done;
  }

  /** Takes a packet of the receiver. */
  accept(bytes: Uint8Array): void {
    const packet = Packet.decode(bytes);
    switch (packet.type) {
      case PacketType.request: {
        const path = this.#files.get(packet.id);
        if (path === undefined) throw new InvalidArgument(`file ${packet.id} was not listed, or asked for twice`);
        this.#files.delete(packet.id);
        this.#requested.push(path);
        this.#ids.push(packet.id);
        break;
      }
      case PacketType.finish:
        this.#done = true;
        break;
      case PacketType.error:
        throw new FailedPrecondition(`the client cannot take the files: ${Buffer.from(packet.data).toString("utf8")}`);
      default:
        throw new InvalidArgument(`packet of kind ${packet.type} is not expected`);
    }
  }

  /** The next packet to send; undefined when there is none now. */
  next(): Uint8Array | undefined {
    if (!this.#listed) {
      const listed = this.#listing.next();
      if (listed.done !== true) return listed.value;
      this.#listed = true;
      return Packet.encode({ type: PacketType.stat });
    }
    return this.#nextData();
  }

  [Symbol.dispose](): void {
    if (this.#sending !== undefined) closeSync(this.#sending.descriptor);
    this.#sending = undefined;
  }

  #nextData(): Uint8Array | undefined {
    if (this.#sending === undefined) {
      const [path, id] = [this.#requested.shift(), this.#ids.shift()];
      if (path === undefined || id === undefined) return undefined;
      this.#sending = { id, descriptor: openSync(path, "r") };
    }
    const { id, descriptor } = this.#sending;
    const piece = Buffer.allocUnsafe(PIECE_BYTES);
    const length = readSync(descriptor, piece, 0, PIECE_BYTES, null);
    if (length === 0) {
      closeSync(descriptor);
      this.#sending = undefined;
    }
    return Packet.encode({ type: PacketType.data, id, data: piece.subarray(0, length) });
  }

  *#list(root: string, prefix: string | undefined): Generator<Uint8Array> {
    const counter = { next: 0 };
    if (prefix === undefined) {
      yield* this.#walk(root, "", counter, new Map());
      return;
    }
    yield this.#stat(root, prefix, statx(CurrentDirectory, root), counter, "");
    yield* this.#walk(root, `${prefix}/`, counter, new Map());
  }

  *#walk(
    directory: FilePath,
    prefix: string,
    counter: { next: number },
    links: Map<string, string>,
  ): Generator<Uint8Array> {
    // The receiver wants a directory's entries in byte order.
    const names = readdirSync(directory, "buffer").sort((a, b) => Buffer.compare(a, b));
    for (const bytes of names) {
      const name = bytes.toString("latin1");
      const path = pathIn(directory, name);
      const status = statx(CurrentDirectory, path);
      const kind = fileKind(status.mode);
      if (kind === "socket") continue;
      const inode = `${status.dev.major}:${status.dev.minor}:${status.inode}`;
      const first = kind === "file" && status.links > 1 ? links.get(inode) : undefined;
      if (kind === "file" && status.links > 1 && first === undefined) links.set(inode, `${prefix}${name}`);
      yield this.#stat(path, `${prefix}${name}`, status, counter, first ?? "");
      if (kind === "directory") yield* this.#walk(path, `${prefix}${name}/`, counter, links);
    }
  }

  #stat(path: FilePath, name: string, status: FileStatus, counter: { next: number }, link: string): Uint8Array {
    const kind = fileKind(status.mode);
    const id = counter.next++;
    if (kind === "file") this.#files.set(id, path);
    return Packet.encode({
      type: PacketType.stat,
      stat: {
        path: name,
        mode: goMode(status.mode),
        uid: status.uid,
        gid: status.gid,
        size: kind === "file" ? status.size : 0,
        modTime: status.mtime,
        linkname: kind === "symlink" ? readlinkSync(path, "latin1") : link,
        devMajor: kind === "special" ? status.rdev.major : 0,
        devMinor: kind === "special" ? status.rdev.minor : 0,
        xattrs: kind === "symlink" ? {} : attributesOf(path),
      },
    });
  }
}

function attributesOf(path: FilePath): Record<string, Uint8Array> {
  const attributes: Record<string, Uint8Array> = {};
  for (const name of llistxattr(path)) {
    const value = lgetxattr(path, name);
    if (value !== undefined && name.startsWith("user.")) attributes[name] = value;
  }
  return attributes;
}
