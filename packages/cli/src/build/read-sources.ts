import { readFile, stat } from "node:fs/promises";
import { basename, join, relative, resolve } from "node:path";
import { systemCode } from "@boxship/base/errors";
import type { RemoteBuild } from "@boxship/build";
import { readIgnoreFile } from "@boxship/build/ignore";
import { readAll } from "../api-client/client.ts";
import type { Context } from "../context.ts";
import { Failure } from "../failure.ts";

/** What a build reads on this side. */
export interface BuildSources {
  readonly file: RemoteBuild["file"];
  readonly filePath?: string;
  readonly context: RemoteBuild["context"];
  /** Directories that are sent, by where they go in the archive, with the patterns that are left out. */
  readonly directories: readonly {
    readonly path: string;
    readonly prefix: string;
    readonly ignore: readonly string[];
  }[];
  /** The main context itself, as it came. */
  readonly archive?: AsyncIterable<Buffer>;
}

const FILES = ["Dockerfile", "dockerfile", "Containerfile"];
const IGNORES = [".containerignore", ".dockerignore"];

async function readOptional(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return undefined;
    throw new Failure(`cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

/** Finds the Containerfile and the context that a command line names: a directory, `-`, or an address. */
export async function readSources(context: Context, operand: string, filePath: string): Promise<BuildSources> {
  if (operand === "-") return readStandardInput(context, filePath);
  if (isRemote(operand)) {
    const kind = /^https?:\/\/(?!.*\.git(?:#|$))/.test(operand) ? "http" : "git";
    const remote = { context: { kind, url: operand }, directories: [] } as const;
    if (filePath === "-") return { ...remote, file: await standardFile(context) };
    return { ...remote, file: undefined, ...(filePath === "" ? {} : { filePath }) };
  }
  const directory = resolve(operand);
  await requireDirectory(operand, directory);
  const { name, bytes, path } = await readContainerfile(context, directory, filePath);
  const own = path === undefined ? undefined : await firstOf(IGNORES.map((suffix) => `${path}${suffix}`));
  const ignore = own ?? (await firstOf(IGNORES.map((file) => join(directory, file))));
  const patterns = ignore === undefined ? [] : readIgnoreFile(ignore);
  const file = {
    name,
    bytes: bytes.toString("base64"),
    ...(ignore === undefined ? {} : { ignore: ignore.toString("base64") }),
  };
  return { file, context: { kind: "files" }, directories: [{ path: directory, prefix: "main", ignore: patterns }] };
}

function isRemote(operand: string): boolean {
  return /^(?:https?|git|ssh):\/\/|^[\w.-]+@[\w.-]+:|^github\.com\//.test(operand);
}

async function requireDirectory(operand: string, path: string): Promise<void> {
  let why = `path ${JSON.stringify(operand)} not found`;
  try {
    if ((await stat(path)).isDirectory()) return;
    why = `context must be a directory: ${path}`;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
  }
  throw new Failure(`unable to prepare context: ${why}`, {
    remedy: "name a directory, an address, or - for standard input",
  });
}

async function firstOf(paths: readonly string[]): Promise<Buffer | undefined> {
  for (const path of paths) {
    const bytes = await readOptional(path);
    if (bytes !== undefined) return bytes;
  }
  return undefined;
}

async function readContainerfile(
  context: Context,
  directory: string,
  filePath: string,
): Promise<{ readonly name: string; readonly bytes: Buffer; readonly path?: string }> {
  if (filePath === "-") return { name: "Dockerfile", bytes: await readAll(context.stdin) };
  const candidates = filePath === "" ? FILES.map((name) => join(directory, name)) : [resolve(filePath)];
  for (const path of candidates) {
    const bytes = await readOptional(path);
    if (bytes === undefined) continue;
    const inside = relative(directory, path);
    return { name: inside.startsWith("..") ? basename(path) : inside, bytes, path };
  }
  const wanted = filePath === "" ? "Dockerfile" : filePath;
  throw new Failure(`unable to evaluate symlinks in Dockerfile path: ${resolve(directory, wanted)}: no such file`, {
    remedy: "name the file with --file",
  });
}

async function standardFile({ stdin }: Context): Promise<NonNullable<BuildSources["file"]>> {
  return { name: "Dockerfile", bytes: (await readAll(stdin)).toString("base64") };
}

/** First bytes of compressed files: gzip, zstd, bzip2, xz. */
const COMPRESSED = ["1f8b", "28b52ffd", "425a68", "fd377a585a00"].map((hex) => Buffer.from(hex, "hex"));
/** What it takes to see that something is an archive. */
const HEAD = 512;

/** A Containerfile alone; an archive on standard input is the context. */
async function readStandardInput(context: Context, filePath: string): Promise<BuildSources> {
  if (filePath === "-") {
    throw new Failure("the context and the Containerfile cannot both come from standard input", {
      remedy: "name one of them",
    });
  }
  const pieces = context.stdin[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let head = Buffer.alloc(0);
  let ended = false;
  while (!ended && head.length < HEAD) {
    const next = await pieces.next();
    if (next.done === true) ended = true;
    else head = Buffer.concat([head, next.value]);
  }
  async function* whole(): AsyncGenerator<Buffer> {
    yield head;
    for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) yield next.value;
  }
  if (!isArchive(head)) {
    const parts: Buffer[] = [];
    for await (const piece of whole()) parts.push(piece);
    const file = { name: "Dockerfile", bytes: Buffer.concat(parts).toString("base64") };
    return { file, context: { kind: "empty" }, directories: [] };
  }
  return {
    file: undefined,
    ...(filePath === "" ? {} : { filePath }),
    context: { kind: "archive" },
    directories: [],
    archive: whole(),
  };
}

function isArchive(head: Buffer): boolean {
  const isTar = head.subarray(257, 262).toString("latin1") === "ustar";
  return isTar || COMPRESSED.some((magic) => head.subarray(0, magic.length).equals(magic));
}
