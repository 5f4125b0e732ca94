import { mkdir, readFile, stat } from "node:fs/promises";
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
  let before = "";
  let mode = 0o600;
  try {
    before = await readFile(path, "utf8");
    mode = (await stat(path)).mode & 0o777;
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
  await writeFileAtomic(path, mergeKubeconfig(before, await readFile(kubeconfig, "utf8"), path), { mode });
  return path;
}
