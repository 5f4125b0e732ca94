import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { chmod, mkdir, utimes } from "node:fs/promises";
import { basename, join, posix } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { FailedPrecondition, hideCredentials, InvalidArgument, systemCode } from "@boxship/base";
import { descriptorPath, OpenFlag, openInRoot } from "@boxship/kernel";
import { extractArchive, openUrl } from "@boxship/oci";
import type { Owner } from "../../files/directories.ts";
import { copyFiles, makeDirectory } from "../../files/files.ts";
import { IgnoreRules } from "../../files/ignore.ts";
import { isGlob } from "../../files/pattern.ts";
import { type CopyInstruction, refuse } from "../../language/index.ts";
import { looksLikeArchive } from "../../sources/archive.ts";
import { gitUrl, openGitContext } from "../../sources/git.ts";
import { keyOf } from "../keys.ts";
import type { BuildSession } from "../session.ts";

export interface AddTarget {
  readonly session: BuildSession;
  readonly target: string;
  readonly destination: string;
  readonly owner: Owner | undefined;
  readonly chmod: string | undefined;
  readonly plural: boolean;
  readonly exclude: readonly string[];
}

/** What an `ADD` brings. */
export interface AddPlan {
  /** Sources that are copied as `COPY` does. */
  readonly local: readonly string[];
  /** Downloads, repositories, and archives to be unpacked. */
  readonly remote: readonly { readonly write: (target: AddTarget) => Promise<void> }[];
  /** What of the remote ones counts for the cache. */
  readonly keys: readonly unknown[];
}

/** Finds out what the sources of an `ADD` are, and fetches those that are elsewhere. */
export async function planAdd(
  session: BuildSession,
  instruction: CopyInstruction,
  sources: readonly string[],
): Promise<AddPlan> {
  const local: string[] = [];
  const remote: { readonly write: (target: AddTarget) => Promise<void> }[] = [];
  const keys: unknown[] = [];
  for (const source of sources) {
    const found = await planSource(session, instruction, source);
    if (found === undefined) local.push(source);
    else {
      remote.push(found);
      keys.push(found.key);
    }
  }
  return { local, remote, keys };
}

interface Remote {
  readonly key: unknown;
  readonly write: (target: AddTarget) => Promise<void>;
}

async function planSource(
  session: BuildSession,
  instruction: CopyInstruction,
  source: string,
): Promise<Remote | undefined> {
  if (gitUrl(source) !== undefined) return planGit(session, instruction, source);
  if (/^https?:\/\//i.test(source)) return planDownload(session, instruction, source);
  if (instruction.checksum !== undefined) {
    refuse(instruction.place, "checksum can't be specified for local sources", "remove --checksum");
  }
  if (isGlob(source) || instruction.unpack === false) return undefined;
  const { path: root, ignore } = await session.contexts.main();
  const isHidden = new IgnoreRules(ignore).ignores(posix.resolve("/", source).slice(1));
  return isHidden ? undefined : planArchive(root, source);
}

/** An archive of the context is unpacked; undefined when the source is something else. */
async function planArchive(root: string, source: string): Promise<Remote | undefined> {
  let digest: string;
  try {
    using file = openInRoot(root, source, OpenFlag.ReadOnly | OpenFlag.NonBlock);
    const path = descriptorPath(file);
    if (!(await looksLikeArchive(path))) return undefined;
    digest = await hashFile(path);
  } catch (error) {
    // Whatever it is, copying it says what is wrong with it.
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
  return {
    key: ["archive", digest],
    write: async (target) => {
      await makeDirectory(target.target, target.destination, target.owner);
      using file = openInRoot(root, source, OpenFlag.ReadOnly);
      await unpack(descriptorPath(file), target);
    },
  };
}

async function unpack(path: string, target: AddTarget): Promise<void> {
  const { owner, destination, session } = target;
  const options = owner === undefined ? {} : { owner };
  await extractArchive(target.target, destination, createReadStream(path), options, session.signal);
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  return hash.digest("hex");
}

async function planDownload(session: BuildSession, instruction: CopyInstruction, url: string): Promise<Remote> {
  const { place, checksum } = instruction;
  if (checksum !== undefined && !/^sha256:[0-9a-f]{64}$|^sha512:[0-9a-f]{128}$/.test(checksum)) {
    refuse(place, `invalid checksum ${checksum}`, "write --checksum=sha256:… with 64 hex digits");
  }
  const name = nameOf(url);
  const directory = await session.directory();
  const path = join(directory, "download", name === "" ? "download" : name);
  await mkdir(join(directory, "download"));
  const modified = await download(session, url, path);
  const digest = await hashFile(path);
  if (checksum !== undefined) await checkSum(path, checksum, url);
  await chmod(path, 0o600);
  if (modified !== undefined) await utimes(path, modified, modified);
  const unpacked = instruction.unpack === true;
  return {
    key: ["download", digest, name, modified?.getTime() ?? 0, unpacked],
    write: async (target) => {
      if (unpacked && (await looksLikeArchive(path))) {
        await makeDirectory(target.target, target.destination, target.owner);
        await unpack(path, target);
        return;
      }
      if (name === "" && target.destination.endsWith("/")) {
        throw new InvalidArgument(`cannot determine filename from url: ${hideCredentials(url)}`, {
          remedy: "name the file in the destination",
        });
      }
      await copyFiles(
        {
          selection: { root: join(directory, "download"), sources: [basename(path)] },
          target: target.target,
          destination: target.destination,
          owner: target.owner,
          rootOwned: true,
          chmod: target.chmod,
        },
        target.session.signal,
      );
    },
  };
}

function nameOf(url: string): string {
  if (!URL.canParse(url))
    throw new InvalidArgument(`${JSON.stringify(hideCredentials(url))} is no http or https address`);
  // As Docker does: first the escapes, then the last part, so that no escaped slash leads elsewhere.
  const path = unescaped(new URL(url).pathname);
  const name = basename(path);
  return path.endsWith("/") || name === "." || name === ".." || name.includes("\0") ? "" : name;
}

/** A path with its escapes replaced; as it is, when they are none. */
function unescaped(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

async function download(session: BuildSession, url: string, path: string): Promise<Date | undefined> {
  await using opened = await openUrl(url, { signal: session.signal });
  await pipeline(Readable.from(opened.body), createWriteStream(path), { signal: session.signal });
  return opened.modified;
}

async function checkSum(path: string, wanted: string, url: string): Promise<void> {
  const algorithm = wanted.slice(0, wanted.indexOf(":"));
  const hash = createHash(algorithm);
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  const found = `${algorithm}:${hash.digest("hex")}`;
  if (found === wanted) return;
  throw new FailedPrecondition(`digest mismatch ${found}: ${wanted}`, {
    subject: { kind: "url", name: hideCredentials(url) },
    remedy: "check the URL, and the checksum that its publisher names",
  });
}

async function planGit(session: BuildSession, instruction: CopyInstruction, url: string): Promise<Remote> {
  const keep = instruction.keepGitDirectory === true;
  const path = await openGitContext(session, url, { keepGitDirectory: keep, commit: instruction.checksum });
  return {
    key: ["git", keyOf(path.commit), url.replace(/^[^#]*/, ""), keep],
    write: async (target) => {
      await copyFiles(
        {
          selection: { root: path.path, sources: ["."], exclude: target.exclude },
          target: target.target,
          destination: target.destination.endsWith("/") ? target.destination : `${target.destination}/`,
          owner: target.owner,
          rootOwned: true,
          chmod: target.chmod,
        },
        target.session.signal,
      );
    },
  };
}
