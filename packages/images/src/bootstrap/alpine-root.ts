import { createHash } from "node:crypto";
import { glob, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { FailedPrecondition, hideCredentials, InvalidArgument, ResourceExhausted, systemCode } from "@boxship/base";
import { runProcess } from "@boxship/kernel";
import { extractArchive, openUrl } from "@boxship/oci";
import { bytesOf, tarEntry, toBuffer, writeTar } from "@boxship/oci/tar";
import { type ApkKey, type ApkPackage, type ArchiveFile, readPackage, readSignedIndex, readTar } from "./apk-file.ts";
import { type IndexedPackage, parseApkIndex } from "./apk-index.ts";
import { resolvePackages } from "./resolve-packages.ts";

export interface AlpineRequest {
  /** Address of the repositories' common root, such as `https://mirror.example.com/alpine`. */
  readonly mirror: string;
  /** Such as `v3.22`. */
  readonly release: string;
  /** @default ["main", "community"] */
  readonly repositories?: readonly string[];
  /** Alpine's name, such as `x86_64`. */
  readonly architecture: string;
  readonly packages: readonly string[];
  /** Whose signatures count. */
  readonly keys: readonly ApkKey[];
  /** An empty directory, which becomes the root. */
  readonly directory: string;
  readonly onProgress?: (line: string) => void;
  readonly signal?: AbortSignal;
}

export interface AlpineRoot {
  readonly packages: readonly IndexedPackage[];
  /** When the newest of them was built, in seconds since the epoch: the same packages give the same image. */
  readonly epoch: number;
}

const INDEX_LIMIT = 64 * 1024 * 1024;
const PACKAGE_LIMIT = 512 * 1024 * 1024;
const SCRIPT_TIMEOUT_MS = 120_000;
const PATH = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Installs Alpine's packages into a directory as apk does: from signed indexes, with all that they need, their scripts run
 * inside. Needs root.
 *
 * @throws PermissionDenied for what is not signed by one of the keys; Unavailable when the mirror cannot be reached
 */
export async function alpineRoot(request: AlpineRequest): Promise<AlpineRoot> {
  const { directory, onProgress = () => {} } = request;
  if (request.keys.length === 0) {
    throw new FailedPrecondition("there is no key to check the repository's signature with", {
      remedy: "name the public keys of the repository with --key; Alpine keeps its own in /etc/apk/keys",
    });
  }
  const indexed = new Map<IndexedPackage, string>();
  for (const repository of request.repositories ?? ["main", "community"]) {
    const base = `${request.mirror.replace(/\/+$/, "")}/${request.release}/${repository}/${request.architecture}`;
    const address = `${base}/APKINDEX.tar.gz`;
    onProgress(`fetching ${hideCredentials(address)}`);
    const text = await readSignedIndex(await fetched(address, INDEX_LIMIT, request), request.keys, address);
    for (const one of parseApkIndex(text)) indexed.set(one, base);
  }
  const packages = resolvePackages([...indexed.keys()], request.packages);
  const installed: Installed[] = [];
  for (const one of packages) {
    const file = `${one.name}-${one.version}.apk`;
    onProgress(`installing ${one.name} ${one.version}`);
    const bytes = await fetched(`${indexed.get(one) ?? ""}/${file}`, PACKAGE_LIMIT, request);
    const { control, data } = await readPackage(bytes, one.checksum, file);
    installed.push({ one, control, files: fileLines(readTar(data)) });
    // Its bytes are the worker's from here on.
    await extractArchive(directory, "/", once(data), {}, request.signal);
  }
  await writeDatabase(request, installed);
  await runScripts(request, installed);
  return { packages, epoch: Math.max(0, ...packages.map(({ built }) => built)) };
}

interface Installed {
  readonly one: IndexedPackage;
  readonly control: ApkPackage["control"];
  /** As the database lists them. */
  readonly files: readonly string[];
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function fetched(address: string, limit: number, { signal }: AlpineRequest): Promise<Buffer> {
  await using opened = await openUrl(address, signal === undefined ? {} : { signal });
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of opened.body) {
    size += piece.length;
    if (size > limit) throw new ResourceExhausted(`${hideCredentials(address)} has more than ${limit} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** What apk in the image, and scanners, need to know what is there. */
async function writeDatabase(request: AlpineRequest, installed: readonly Installed[]): Promise<void> {
  const { directory, mirror, release, repositories = ["main", "community"], packages, architecture, keys } = request;
  const blocks = installed.map(({ one, files }) => [...one.lines, ...files, ""].join("\n"));
  const written: Readonly<Record<string, string>> = {
    "lib/apk/db/installed": blocks.map((block) => `${block}\n`).join(""),
    "lib/apk/db/triggers": installed.flatMap(triggerLines).join(""),
    "etc/apk/arch": `${architecture}\n`,
    "etc/apk/world": [...packages]
      .sort()
      .map((name) => `${name}\n`)
      .join(""),
    "etc/apk/repositories": repositories
      .map((name) => `${hideCredentials(`${mirror.replace(/\/+$/, "")}/${release}/${name}`)}\n`)
      .join(""),
    ...Object.fromEntries(keys.map(({ name, content }) => [`etc/apk/keys/${name}`, content])),
  };
  await place(directory, written, 0o644);
}

/** Writes files into the root; a link in it leads nowhere else. */
async function place(directory: string, files: Readonly<Record<string, string>>, mode: number): Promise<void> {
  const inputs = Object.entries(files).map(([name, text]) => {
    const body = Buffer.from(text);
    return { entry: tarEntry({ type: "file", name: bytesOf(name), mode, size: body.length }), body };
  });
  await extractArchive(directory, "/", writeTar(inputs));
}

/** Files of a package as the database lists them: by directory, with a checksum each. */
function fileLines(files: readonly ArchiveFile[]): readonly string[] {
  const lines: string[] = [];
  let last: string | undefined;
  const owner = ({ entry }: ArchiveFile) => `${entry.uid}:${entry.gid}:${entry.mode.toString(8)}`;
  const enter = (directory: string) => {
    if (directory !== last) lines.push(`F:${directory}`);
    last = directory;
  };
  for (const file of files) {
    if (file.name === "") continue;
    if (file.entry.type === "directory") {
      enter(file.name);
      if (owner(file) !== "0:0:755") lines.push(`M:${owner(file)}`);
      continue;
    }
    const slash = file.name.lastIndexOf("/");
    enter(slash === -1 ? "" : file.name.slice(0, slash));
    lines.push(`R:${file.name.slice(slash + 1)}`);
    if (file.entry.type === "file" && owner(file) !== "0:0:644") lines.push(`a:${owner(file)}`);
    lines.push(`Z:Q1${createHash("sha1").update(checked(file)).digest("base64")}`);
  }
  return lines;
}

function checked({ entry, content }: ArchiveFile): Buffer {
  return entry.type === "symlink" ? toBuffer(entry.linkName) : content;
}

/** Paths that a package's trigger waits for, by its `.PKGINFO`. */
function triggersOf({ control }: Installed): readonly string[] {
  const info = control.find(({ name }) => name === ".PKGINFO")?.content.toString() ?? "";
  return (/^triggers = (.+)$/m.exec(info)?.[1] ?? "").split(/\s+/).filter((path) => path !== "");
}

function triggerLines(installed: Installed): readonly string[] {
  const paths = triggersOf(installed);
  return paths.length === 0 ? [] : [`${installed.one.checksum} ${paths.join(" ")}\n`];
}

/** Runs what packages want to be run after their installation, then their triggers, inside of the new root. */
async function runScripts(request: AlpineRequest, installed: readonly Installed[]): Promise<void> {
  for (const { one, control } of installed) {
    const script = control.find(({ name }) => name === ".post-install");
    if (script !== undefined) await runScript(request, one, script, [one.version]);
  }
  for (const entry of installed) {
    const script = entry.control.find(({ name }) => name === ".trigger");
    const paths = await existing(request.directory, triggersOf(entry));
    if (script !== undefined && paths.length > 0) await runScript(request, entry.one, script, paths);
  }
}

/** Directories of the image that a trigger's patterns name, of which all are new. */
async function existing(root: string, patterns: readonly string[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (const pattern of patterns) {
    for await (const path of glob(pattern.replace(/^\/+/, ""), { cwd: root })) found.push(`/${path}`);
  }
  return [...new Set(found)].sort();
}

async function runScript(
  { directory, signal, onProgress = () => {} }: AlpineRequest,
  one: IndexedPackage,
  script: ArchiveFile,
  args: readonly string[],
): Promise<void> {
  const name = `.boxship-${script.name.slice(1)}`;
  await place(directory, { [name]: script.content.toString() }, 0o755);
  try {
    const isolated = ["--mount", "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child"];
    const { code, stdout, stderr } = await runProcess({
      file: "unshare",
      args: [...isolated, `--root=${directory}`, "--wd=/", `/${name}`, ...args],
      env: { PATH: PATH.slice("PATH=".length) },
      timeout: SCRIPT_TIMEOUT_MS,
      ...(signal !== undefined && { signal }),
    });
    const said = `${stdout.toString()}${stderr.toString()}`.trim();
    if (said !== "") onProgress(said);
    // As apk does: the package is there all the same.
    if (code !== 0) onProgress(`${one.name}: ${script.name.slice(1)} ended with status ${code}`);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    throw new FailedPrecondition("unshare is not installed", { remedy: "install util-linux", cause: error });
  } finally {
    await rm(join(directory, name), { force: true });
  }
}

/** Alpine's name of a machine's architecture. @throws InvalidArgument for one that it does not have */
export function alpineArchitecture(architecture: string): string {
  const names: Readonly<Record<string, string>> = { amd64: "x86_64", arm64: "aarch64" };
  const name = names[architecture];
  if (name === undefined) throw new InvalidArgument(`Alpine's name of ${architecture} is not known`);
  return name;
}

/** The public keys in files. @throws FailedPrecondition if one cannot be read */
export async function readApkKeys(paths: readonly string[]): Promise<readonly ApkKey[]> {
  return Promise.all(
    paths.map(async (path) => {
      const content = await readFile(path, "utf8").catch((error: unknown) => {
        throw new FailedPrecondition(`cannot read the key ${path}`, {
          cause: error,
          subject: { kind: "file", name: path },
        });
      });
      return { name: path.slice(path.lastIndexOf("/") + 1), content };
    }),
  );
}
