import { truncateSync } from "node:fs";
import { mkdir, open, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import {
  errorMessage,
  FailedPrecondition,
  InvalidArgument,
  ResourceExhausted,
  systemCode,
  Unsupported,
} from "@boxship/base/errors";
import {
  CurrentDirectory,
  findLoopDevice,
  findMounts,
  growExt4,
  OpenFlag,
  openat,
  releaseMountsBelow,
  runProcess,
  updateLoopCapacity,
} from "@boxship/kernel";
import { copyTreeAway, mountImageAway, syncFilesystem } from "../storage-pool.ts";

/** File system images: volumes and writable layers with a limit. */

/** Smaller ones would hold little but the file system's own tables. */
export const SMALLEST_LIMIT = 8 << 20;
const LARGEST_LIMIT = 16 * 2 ** 40;
const BLOCK = 4096;
const FORMAT_MS = 600_000;

/** A size with a binary unit, `512m` or `10g`. @throws InvalidArgument */
export function parseLimit(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([kmgt]?)i?b?$/i.exec(text.trim());
  const bytes = Math.floor(Number(match?.[1]) * 1024 ** "_kmgt".indexOf(match?.[2]?.toLowerCase() || "_"));
  if (match === null || bytes > LARGEST_LIMIT) {
    throw new InvalidArgument(`invalid size: ${JSON.stringify(text)}`, { remedy: "write it like 512m or 10g" });
  }
  if (bytes < SMALLEST_LIMIT) throw new InvalidArgument(`a limit of size is at least 8m, not ${text}`);
  return bytes - (bytes % BLOCK);
}

/**
 * Makes an image of a size, which takes only what is in it: an ext4 file system, with the content and attributes of a
 * directory if one is given. Nothing is mounted when it resolves.
 *
 * @param directory of the image, on which it is mounted meanwhile as `mnt`
 * @throws Unsupported where there are no loop devices or no mkfs.ext4, ResourceExhausted when the content does not fit
 */
export async function makeImage(
  directory: string,
  image: string,
  { size, content }: { readonly size: number; readonly content?: string },
): Promise<void> {
  {
    await using file = await open(image, "wx", 0o600);
    await file.truncate(size);
  }
  // Nobody but root may leave something in reserve here; tables are written when they are needed.
  const options = [
    "-q",
    "-F",
    "-b",
    String(BLOCK),
    "-m",
    "0",
    "-E",
    "lazy_itable_init=1,lazy_journal_init=1,nodiscard",
  ];
  await runTool("mkfs.ext4", [...options, image]);
  const mountpoint = join(directory, "mnt");
  await mkdir(mountpoint);
  try {
    await mountImageAway({ image, target: mountpoint });
    if (content !== undefined) await copyTreeAway({ root: content, path: "/", target: mountpoint });
    await syncFilesystem(mountpoint);
  } finally {
    await releaseMountsBelow(mountpoint);
  }
  await rmdir(mountpoint);
}

async function runTool(file: string, args: readonly string[], worst = 0): Promise<void> {
  let ran: Awaited<ReturnType<typeof runProcess>>;
  try {
    const path = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;
    ran = await runProcess({ file: await findTool(file, path), args, timeout: FORMAT_MS });
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    throw new Unsupported(`limits of size need ${file}, which is not on this host`, {
      remedy: "install e2fsprogs",
    });
  }
  if (ran.code !== undefined && ran.code <= worst) return;
  const message = `${ran.stderr.toString()}${ran.stdout.toString()}`.trim().slice(-500);
  if (/No space left/.test(message)) throw new ResourceExhausted(`${file}: ${message}`);
  throw new FailedPrecondition(`${file} failed with status ${ran.code}: ${message}`);
}

async function findTool(file: string, path: string): Promise<string> {
  for (const directory of path.split(":")) {
    if (directory === "") continue;
    try {
      await stat(join(directory, file));
      return join(directory, file);
    } catch (error) {
      if (systemCode(error) !== "ENOENT" && systemCode(error) !== "ENOTDIR") throw error;
    }
  }
  throw Object.assign(new Error(`${file} is absent`), { code: "ENOENT" });
}

/** Lets an image that is not mounted, and its file system, grow. */
export async function growImage(image: string, size: number): Promise<void> {
  await untilReleased(image);
  truncateSync(image, size);
  // Status 1: something was put in order, such as after a power cut.
  await runTool("e2fsck", ["-f", "-p", image], 1);
  await runTool("resize2fs", [image]);
}

const RELEASE_MS = 3000;

/** Mount namespaces that are just being made hold what was mounted for a moment. */
async function untilReleased(image: string): Promise<void> {
  for (let waited = 0; findLoopDevice(image) !== undefined; waited += 10) {
    if (waited >= RELEASE_MS) {
      throw new FailedPrecondition(`${image} is still mounted in another mount namespace`, {
        remedy: "end the processes in it (see lsns -t mnt), and try again",
      });
    }
    await delay(10);
  }
}

/** The same while it is mounted. @throws FailedPrecondition where this process may not */
export function growMountedImage(image: string, mountpoint: string, size: number): void {
  truncateSync(image, size);
  const source = findMounts(mountpoint).find((mount) => mount.mountPoint === mountpoint)?.source ?? "";
  if (!source.startsWith("/dev/loop")) throw new FailedPrecondition(`${mountpoint} is not mounted from an image`);
  try {
    updateLoopCapacity(source);
    using fd = openat(CurrentDirectory, mountpoint, OpenFlag.ReadOnly | OpenFlag.Directory);
    growExt4(fd, size / BLOCK);
  } catch (error) {
    throw new FailedPrecondition(`a volume cannot grow here while it is used: ${errorMessage(error)}`, {
      cause: error,
      remedy: "stop the containers that use it, and try again",
    });
  }
}
