import { mkdir, readFile, realpath, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { systemCode, writeFileAtomic } from "@boxship/base";
import { mergeKubeconfig } from "@boxship/client";
import type { Context } from "../context.ts";

/** Puts a cluster into the user's own kubeconfig, beside what is there. @returns that file */
export async function mergeIntoHome({ env }: Context, kubeconfig: string): Promise<string> {
  const directory = join(env["HOME"] || homedir(), ".kube");
  const path = join(directory, "config");
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const there = await whatIsThere(path);
  const merged = mergeKubeconfig(there?.text ?? "", await readFile(kubeconfig, "utf8"), path);
  await writeFileAtomic(there?.file ?? path, merged, { mode: 0o600, ...there?.kept });
  return path;
}

/** The file that it is or leads to, which keeps its owner and mode: root merges into other people's, too. */
async function whatIsThere(path: string) {
  try {
    const file = await realpath(path);
    const { mode, uid, gid } = await stat(file);
    const owner = process.geteuid?.() === 0 ? { owner: { uid, gid } } : {};
    return { file, text: await readFile(file, "utf8"), kept: { mode: mode & 0o777, ...owner } };
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    return undefined;
  }
}
