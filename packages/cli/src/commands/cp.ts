import { posix } from "node:path";
import { Readable } from "node:stream";
import { systemCode } from "@boxship/base/errors";
import { type TarInput, writeTar } from "@boxship/oci/tar";
import { ApiError } from "../api-client/api-error.ts";
import { type CopyEnd, planCopy } from "../archive/copy-plan.ts";
import { packPath, sourceInfo } from "../archive/pack.ts";
import { absolutePath, splitArgument, splitPath } from "../archive/paths.ts";
import { destinationInfo, unpackInto } from "../archive/unpack.ts";
import { defineCommand } from "../command.ts";
import { type Context, warn } from "../context.ts";
import { Failure } from "../failure.ts";
import { bool } from "../flags/flag.ts";
import { humanSize } from "../format/units.ts";
import { containerPath } from "../shared/container-path.ts";
import { describeFileError } from "../shared/system-error.ts";
import { writeAll } from "../stream/write-all.ts";

interface CopyFlags {
  readonly archive: boolean;
  readonly "follow-link": boolean;
  readonly quiet: boolean;
}

interface Copy {
  readonly container: string;
  /** Path in the container. */
  readonly inside: string;
  /** Path on this machine, or `-` for an archive on standard input or output. */
  readonly outside: string;
  readonly flags: CopyFlags;
}

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tboxship cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
  summary: "Copy files/folders between a container and the local filesystem",
  flags: {
    archive: bool("Archive mode (copy all uid/gid information)", { short: "a" }),
    "follow-link": bool("Always follow symbol link in SRC_PATH", { short: "L" }),
    quiet: bool("Suppress progress output during copy", { short: "q" }),
  },
  operands: { min: 2, max: 2 },
  completes: "container",
  async run(context, { flags, changed, operands: [from = "", to = ""] }) {
    if (from === "") throw new Failure("source can not be empty");
    if (to === "") throw new Failure("destination can not be empty");
    const source = splitArgument(from);
    const target = splitArgument(to);
    const quiet = changed.has("quiet") ? flags.quiet : !context.stdout.isTTY;
    const common = { flags: { ...flags, quiet } };
    if (source.container !== "" && target.container !== "") {
      throw new Failure("copying between containers is not supported");
    }
    if (source.container === "" && target.container === "")
      throw new Failure("must specify at least one container source");
    try {
      if (source.container !== "")
        await copyOut(context, { ...common, container: source.container, inside: source.path, outside: target.path });
      else await copyIn(context, { ...common, container: target.container, inside: target.path, outside: source.path });
    } catch (error) {
      if (systemCode(error) === undefined || error instanceof Failure) throw error;
      throw new Failure(describeFileError(syscallOf(error), pathOf(error), error), { cause: error });
    }
  },
});

const member = (error: unknown, name: "path" | "syscall"): string =>
  (error as Readonly<Record<string, string | undefined>>)[name] ?? "";
const pathOf = (error: unknown): string => member(error, "path");
const syscallOf = (error: unknown): string => member(error, "syscall");

/** What the engine says of a path in a container; modes are Go's. */
interface PathStat {
  readonly mode: number;
  readonly linkTarget: string;
}

const MODE_DIRECTORY = 2 ** 31;
const MODE_SYMLINK = 2 ** 27;

const isDirectory = ({ mode }: PathStat): boolean => mode >= MODE_DIRECTORY;
const isSymlink = ({ mode }: PathStat): boolean => Math.floor(mode / MODE_SYMLINK) % 2 === 1;

function parseStat(header: string | string[] | undefined): PathStat {
  return JSON.parse(Buffer.from(String(header ?? ""), "base64").toString()) as PathStat;
}

async function statInside({ api }: Context, container: string, path: string): Promise<PathStat | undefined> {
  try {
    const response = await api.open("HEAD", containerPath(container, "/archive"), { query: { path } });
    response.body.resume();
    return parseStat(response.headers["x-docker-container-path-stat"]);
  } catch (error) {
    // As Docker has it: what is wrong with the path is said when something is put there.
    if (error instanceof ApiError) return undefined;
    throw error;
  }
}

function linkTarget(path: string, { linkTarget: target }: PathStat): string {
  return posix.isAbsolute(target) ? target : posix.join(splitPath(path).directory, target);
}

/** `docker cp CONTAINER:SOURCE TARGET`. */
async function copyOut(context: Context, { container, inside, outside, flags }: Copy): Promise<void> {
  const target = outside === "-" ? outside : absolutePath(outside, process.cwd());
  const destination = outside === "-" ? undefined : await destinationInfo(target);
  let path = inside;
  if (flags["follow-link"]) {
    const stat = await statInside(context, container, inside);
    if (stat !== undefined && isSymlink(stat)) path = linkTarget(inside, stat);
  }
  const response = await context.api.open("GET", containerPath(container, "/archive"), { query: { path } });
  if (destination === undefined) {
    for await (const chunk of response.body) await writeAll(context.stdout, chunk as Buffer);
    return;
  }
  const stat = parseStat(response.headers["x-docker-container-path-stat"]);
  // The archive's first name is that of the link's target, the user's is that of the link.
  const source = { path, exists: true, isDirectory: isDirectory(stat) };
  const plan = planCopy(source, destination);
  const renamed = splitPath(path).base !== splitPath(inside).base && plan.rename === undefined;
  const rename = { from: splitPath(path).base, to: splitPath(inside).base };
  const written = await unpackInto(response.body, renamed ? { ...plan, rename } : plan);
  if (!flags.quiet) warn(context, `Successfully copied ${humanSize(written, 3)} to ${target}`);
}

/** What a destination in a container is, links at its end followed. */
async function insideInfo(context: Context, container: string, path: string): Promise<CopyEnd> {
  const stat = await statInside(context, container, path);
  if (stat === undefined) return { path, exists: false, isDirectory: false };
  if (!isSymlink(stat)) return { path, exists: true, isDirectory: isDirectory(stat) };
  const target = linkTarget(path, stat);
  const targetStat = await statInside(context, container, target);
  return {
    path: target,
    exists: targetStat !== undefined,
    isDirectory: targetStat !== undefined && isDirectory(targetStat),
  };
}

/** `docker cp SOURCE CONTAINER:TARGET`. */
async function copyIn(context: Context, { container, inside, outside, flags }: Copy): Promise<void> {
  // A container that does not exist is not a path that does not exist.
  await context.api.call("GET", containerPath(container, "/json"));
  const destination = await insideInfo(context, container, inside);
  const put = (path: string, stream: Readable): Promise<void> =>
    context.api.call("PUT", containerPath(container, "/archive"), {
      query: { path, noOverwriteDirNonDir: true, copyUIDGID: flags.archive },
      stream,
      headers: { "Content-Type": "application/x-tar" },
    });
  if (outside === "-") {
    if (!destination.isDirectory) throw new Failure(`destination "${container}:${inside}" must be a directory`);
    await put(destination.path, context.stdin);
    return;
  }
  const source = await sourceInfo(absolutePath(outside, process.cwd()), flags["follow-link"]);
  const plan = planCopy(source, destination);
  let size = 0;
  async function* counted(): AsyncGenerator<TarInput> {
    for await (const input of packPath(source.path, plan)) {
      size += input.entry.size;
      yield input;
    }
  }
  await put(plan.directory, Readable.from(writeTar(counted()), { objectMode: false }));
  if (!flags.quiet) warn(context, `Successfully copied ${humanSize(size, 3)} to ${container}:${inside}`);
}
