import { lstat, mkdir, readFile, realpath, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { PermissionDenied, systemCode, writeFileAtomic } from "@boxship/base";
import { type MergeOptions, mergeKubeconfig, takeFromKubeconfig } from "./merge-kubeconfig.ts";

export interface PutOptions extends MergeOptions {
  /** Whether it may be somebody else's, who may use the cluster then. @default only one's own */
  readonly ofAnybody?: boolean;
}

/**
 * Puts a cluster into a kubeconfig, beside what is there, as {@link mergeKubeconfig} does. Made with mode 0600 where there is
 * none; not written where it says the same already, so that a disk that is full needs no room.
 *
 * @param config a whole kubeconfig
 * @throws InvalidArgument for a file that is no kubeconfig, PermissionDenied for one, or a link, of somebody else, who would be given
 *   the cluster; they stay as they are
 */
export async function putKubeconfig(path: string, config: string, options: PutOptions = {}): Promise<void> {
  const there = await whatIsThere(path);
  if (there?.isForeign === true && options.ofAnybody !== true) {
    throw new PermissionDenied(
      `the kubeconfig ${path} is somebody else's, who could use the cluster as its administrator`,
      {
        subject: { kind: "file", name: path },
        remedy: "name another file with --kubeconfig, or take that one away",
      },
    );
  }
  if (there === undefined) await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  const isEmpty = there === undefined || there.text.trim() === "";
  const merged = isEmpty ? config : mergeKubeconfig(there.text, config, path, options);
  if (merged !== there?.text) await writeFileAtomic(there?.file ?? path, merged, there?.kept ?? { mode: 0o600 });
}

/**
 * Takes the cluster of that name out of a kubeconfig again, and the file with it when nothing else is in it. What is no kubeconfig
 * stays as it is, and so does what is somebody else's.
 */
export async function removeFromKubeconfig(path: string, name: string): Promise<void> {
  const there = await whatIsThere(path);
  if (there === undefined || there.isForeign) return;
  let left: string;
  try {
    left = takeFromKubeconfig(there.text, name, path);
  } catch {
    return;
  }
  if (left === "") {
    await rm(there.file, { force: true });
    await rm(path, { force: true }); // a link to it
  } else if (left !== there.text) await writeFileAtomic(there.file, left, there.kept);
}

/** The file that it is or leads to, which keeps its owner and mode: root merges into other people's, too. */
async function whatIsThere(path: string) {
  try {
    const file = await realpath(path);
    const { mode, uid, gid } = await stat(file);
    const self = process.geteuid?.();
    const isForeign = uid !== self || (await lstat(path)).uid !== self;
    const owner = self === 0 ? { owner: { uid, gid } } : {};
    return { file, text: await readFile(file, "utf8"), isForeign, kept: { mode: mode & 0o777, ...owner } };
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    return undefined;
  }
}
