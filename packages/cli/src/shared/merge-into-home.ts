import { mkdir, readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { putKubeconfig } from "@boxship/client";
import type { Context } from "../context.ts";

/** Puts a cluster into the user's own kubeconfig, beside what is there, as its current context. @returns that file */
export async function mergeIntoHome({ env }: Context, kubeconfig: string): Promise<string> {
  const directory = join(env["HOME"] || homedir(), ".kube");
  const path = join(directory, "config");
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await putKubeconfig(path, await readFile(kubeconfig, "utf8"), { makeCurrent: true, ofAnybody: true });
  return path;
}
