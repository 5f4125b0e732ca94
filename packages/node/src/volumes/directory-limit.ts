import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  CurrentDirectory,
  type Fd,
  limitProject,
  OpenFlag,
  openat,
  projectOf,
  projectQuota,
  setProject,
} from "@boxship/kernel";

/** Projects of ours begin here: others begin at 1, container engines that have some at a million or so. */
const FIRST_PROJECT = 0x4258_0000;
const MOST_PROJECTS = 0x1_0000;

const open = (directory: string): Fd =>
  openat(CurrentDirectory, directory, OpenFlag.ReadOnly | OpenFlag.Directory | OpenFlag.NoFollow);

/**
 * Keeps what is in a directory to so many bytes, by a project quota of its file system, wherever that has them: ext4 and XFS that
 * are mounted with `prjquota`. One with files in it that nobody counted stays without a limit.
 *
 * @param bytes rounded up to 1024; 0 takes the limit away
 * @returns whether there is a limit, or was one to be taken away
 * @throws SyscallError
 */
export async function limitDirectory(directory: string, bytes: bigint): Promise<boolean> {
  using fd = open(directory);
  const own = projectOf(fd);
  if (own !== 0) return limitProject(fd, own, bytes);
  if (bytes === 0n || (await readdir(directory)).length > 0) return false;
  const project = await freeProject(directory, fd);
  // Limited before it belongs to it: nobody writes without a limit.
  return project !== undefined && limitProject(fd, project, bytes) && setProject(fd, project);
}

/** One that no directory beside this one has, and nothing of the file system. @returns undefined where there are no quotas */
async function freeProject(directory: string, fd: Fd): Promise<number | undefined> {
  const taken = new Set<number>();
  const parent = dirname(directory);
  for (const entry of await readdir(parent, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    using sibling = open(join(parent, entry.name));
    taken.add(projectOf(sibling));
  }
  for (let project = FIRST_PROJECT; project < FIRST_PROJECT + MOST_PROJECTS; project++) {
    if (taken.has(project)) continue;
    const quota = projectQuota(fd, project);
    if (quota === undefined) return undefined;
    if (quota.used === 0n && quota.limit === 0n) return project;
  }
  return undefined;
}
