import { FailedPrecondition, InvalidArgument, Unsupported } from "@boxship/base";
import { type Metadata } from "@boxship/grpc";
import { fileKind, unixMode } from "../files/file-mode.ts";
import { latin1Text } from "../files/latin1.ts";
import { PacketType } from "../wire/fsutil.ts";
import { FileSync } from "../wire/session.ts";
import type { ClientSession } from "./client-session.ts";

/** A Containerfile or an ignore file that is larger is none. */
const MAX_FILE_BYTES = 4 << 20;

/** Files that are on the way to a few names; a client that lists more lists something else. */
const MAX_LISTED = 10_000;

/** Which files of a client's directory are meant. */
export interface FileFilter {
  /** As the client names the directory: `context`, `dockerfile`, the name of a named context. */
  readonly name: string;
  /** Patterns of an ignore file. */
  readonly exclude?: readonly string[];
  /** Paths and patterns; undefined means all. */
  readonly include?: readonly string[] | undefined;
  /** Paths, and what their links lead to. */
  readonly follow?: readonly string[];
}

/** A filter as clients read it. Headers are ASCII: with anything else in a list, all of it is escaped and says so. */
export function filterMetadata(filter: FileFilter): Metadata {
  const metadata: Record<string, readonly string[]> = {};
  const add = (key: string, values: readonly string[] | undefined): void => {
    if (values === undefined || values.length === 0) return;
    const plain = values.every((value) => /^[\x20-\x7e]*$/.test(value) && value.trim() === value);
    metadata[key] = plain ? values : values.map(queryEscape);
    if (!plain) metadata[`${key}-encoded`] = ["1"];
  };
  add("dir-name", [filter.name]);
  add("exclude-patterns", filter.exclude);
  add("include-patterns", filter.include);
  add("followpaths", filter.follow);
  return metadata;
}

/** Go's `url.QueryEscape`. */
const queryEscape = (text: string): string =>
  encodeURIComponent(text.toWellFormed())
    .replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%20", "+");

/** @throws Unsupported when the client shares no files */
export function requireFiles(session: ClientSession): void {
  if (session.supports(FileSync.diffCopy)) return;
  throw new Unsupported("the client shares no files");
}

/** A few small files of a client's directory, by path; those that are not there are missing. */
export async function readSessionFiles(
  session: ClientSession,
  name: string,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Buffer>> {
  requireFiles(session);
  using call = session.client.call(FileSync.diffCopy, { signal, metadata: filterMetadata({ name, follow: paths }) });
  const files = new Map<number, { readonly path: string; readonly pieces: Buffer[]; size: number }>();
  const links = new Map<string, string>();
  const done = new Map<string, Buffer>();
  let listed = false;
  let next = 0;
  for await (const packet of call.responses) {
    switch (packet.type) {
      case PacketType.stat: {
        if (packet.stat === undefined) {
          listed = true;
          break;
        }
        const { mode, size } = packet.stat;
        const [path, linkname] = [latin1Text(packet.stat.path), latin1Text(packet.stat.linkname)];
        const kind = fileKind(unixMode(mode));
        const id = next++;
        if (next > MAX_LISTED) throw new InvalidArgument(`the client lists more files than were asked for: ${next}`);
        if (kind === "symlink") links.set(path, linkname);
        if (kind !== "file") break;
        if (size > MAX_FILE_BYTES) throw new InvalidArgument(`${path} is larger than ${MAX_FILE_BYTES} bytes`);
        files.set(id, { path, pieces: [], size: 0 });
        await call.send({ type: PacketType.request, id });
        break;
      }
      case PacketType.data: {
        const file = files.get(packet.id);
        if (file === undefined) throw new InvalidArgument(`data of file ${packet.id}, which was not asked for`);
        if (packet.data.length === 0) {
          files.delete(packet.id);
          done.set(file.path, Buffer.concat(file.pieces));
          break;
        }
        file.size += packet.data.length;
        if (file.size > MAX_FILE_BYTES)
          throw new InvalidArgument(`${file.path} is larger than ${MAX_FILE_BYTES} bytes`);
        file.pieces.push(Buffer.from(packet.data));
        break;
      }
      case PacketType.error:
        throw new FailedPrecondition(`the client cannot send its files: ${Buffer.from(packet.data).toString("utf8")}`);
      case PacketType.finish:
        call.endRequests();
        break;
      default:
        throw new InvalidArgument(`packet of kind ${packet.type} is not expected`);
    }
    if (listed && files.size === 0) {
      listed = false;
      await call.send({ type: PacketType.finish });
    }
  }
  return followed(paths, done, links);
}

/** The files under the names that were asked for, links followed. */
function followed(
  paths: readonly string[],
  files: ReadonlyMap<string, Buffer>,
  links: ReadonlyMap<string, string>,
): ReadonlyMap<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const wanted of paths) {
    let path = cleanPath(wanted);
    for (let hops = 0; hops < 40; hops++) {
      const file = files.get(path);
      if (file !== undefined) {
        found.set(wanted, file);
        break;
      }
      const target = firstLink(path, links);
      if (target === undefined) break;
      path = target;
    }
  }
  return found;
}

/** A path with its first link replaced by what it leads to; undefined when there is none. */
function firstLink(path: string, links: ReadonlyMap<string, string>): string | undefined {
  const parts = path.split("/");
  for (let count = 1; count <= parts.length; count++) {
    const target = links.get(parts.slice(0, count).join("/"));
    if (target === undefined) continue;
    const base = target.startsWith("/") ? "" : parts.slice(0, count - 1).join("/");
    return cleanPath(`${base}/${target}/${parts.slice(count).join("/")}`);
  }
  return undefined;
}

/** Without `.`, `..` (which stops at the root) and doubled slashes. */
export function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.join("/");
}
