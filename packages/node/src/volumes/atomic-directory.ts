import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { InvalidArgument, systemCode } from "@boxship/base";

export interface ProjectedFile {
  readonly data: Buffer;
  readonly mode: number;
}

const CURRENT = "..data";

/**
 * Makes the files of a directory what they should be, all at once for whoever looks: they are links through `..data`,
 * which is exchanged by a rename. Without a difference nothing is written.
 *
 * @param group who owns the files beside root; @default root's
 * @throws InvalidArgument for a path that leads out
 */
export async function writeAtomically(
  directory: string,
  files: ReadonlyMap<string, ProjectedFile>,
  group?: number,
): Promise<boolean> {
  for (const path of files.keys()) checkPath(path);
  if (await isSame(directory, files)) return false;
  const fresh = await mkdtemp(join(directory, `..${new Date().toISOString().replaceAll(/[^0-9]/g, "_")}`));
  await chmod(fresh, 0o755);
  for (const [path, { data, mode }] of files) {
    const target = join(fresh, path);
    await mkdir(dirname(target), { recursive: true, mode: 0o755 });
    await writeFile(target, data, { mode: 0o600 });
    if (group !== undefined) await chown(target, 0, group);
    await chmod(target, group === undefined ? mode : mode | ((mode & 0o400) >> 3));
  }
  const before = await currentOf(directory);
  const link = join(directory, `${CURRENT}_tmp`);
  await rm(link, { force: true });
  await symlink(fresh.slice(directory.length + 1), link);
  await rename(link, join(directory, CURRENT));
  await linkNames(directory, new Set([...files.keys()].map((path) => path.split("/", 1)[0] ?? "")));
  if (before !== undefined) await rm(join(directory, before), { recursive: true, force: true });
  return true;
}

function checkPath(path: string): void {
  const parts = path.split("/");
  if (path !== "" && !parts.includes("..") && !parts.includes("") && !path.startsWith("..")) return;
  throw new InvalidArgument(`invalid path of a file in a volume: ${JSON.stringify(path)}`);
}

async function currentOf(directory: string): Promise<string | undefined> {
  try {
    return await readlink(join(directory, CURRENT));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function isSame(directory: string, files: ReadonlyMap<string, ProjectedFile>): Promise<boolean> {
  const current = await currentOf(directory);
  if (current === undefined) return false;
  const root = join(directory, current);
  const present = (await readdir(root, { recursive: true, withFileTypes: true })).filter(
    (entry) => !entry.isDirectory(),
  );
  if (present.length !== files.size) return false;
  for (const [path, { data }] of files) {
    try {
      if (!(await readFile(join(root, path))).equals(data)) return false;
    } catch (error) {
      if (systemCode(error) === "ENOENT") return false;
      throw error;
    }
  }
  return true;
}

/** A link for each name, and none for those that are gone. */
async function linkNames(directory: string, names: ReadonlySet<string>): Promise<void> {
  for (const name of names) {
    const path = join(directory, name);
    const there = await lstat(path).catch(() => undefined);
    if (there === undefined) await symlink(join(CURRENT, name), path);
  }
  for (const name of await readdir(directory)) {
    if (!name.startsWith("..") && !names.has(name)) await rm(join(directory, name), { recursive: true, force: true });
  }
}
