import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { readClusterRecord, removeClusterRecord } from "@boxship/base/cluster-record";
import { clusterCommand } from "@boxship/base/entry";
import { DEFAULT_INSTANCE, instanceDirectories } from "@boxship/base/instance-directories";
import { removeFromKubeconfig } from "@boxship/client";
import { Failure } from "../failure.ts";
import type { Instance } from "../instance.ts";
import { stateDirectory } from "./cluster-state.ts";

/** How long a cluster may take to end. */
const STOP_TIMEOUT_MS = 30_000;

/** What the process says when it serves. */
export interface ClusterReady {
  readonly server: string;
  readonly kubeconfig: string;
}

/**
 * Starts the cluster of an instance in the background, and waits until it serves.
 *
 * @param flags of the cluster's process besides those of the instance
 * @throws Failure with what it says
 */
export async function startCluster(instance: Instance, flags: readonly string[]): Promise<ClusterReady> {
  const { name, root, runDir } = instance;
  mkdirSync(runDir, { recursive: true, mode: process.geteuid?.() === 0 ? 0o711 : 0o700 });
  const log = join(runDir, "cluster.log");
  const output = openSync(log, "a", 0o600);
  const [file, ...args] = clusterCommand();
  const own = ["--name", name, "--run-dir", runDir, ...(root === undefined ? [] : ["--root", root])];
  const child = spawn(file, [...args, ...own, ...flags], {
    detached: true,
    cwd: "/",
    stdio: ["ignore", output, output, "ipc"],
  });
  closeSync(output);
  const { promise, resolve, reject } = Promise.withResolvers<ClusterReady>();
  child.on("message", (message: { ready?: boolean; failed?: string; remedy?: string } & Partial<ClusterReady>) => {
    const { ready, failed, remedy, server = "", kubeconfig = "" } = message;
    if (ready === true) resolve({ server, kubeconfig });
    else reject(new Failure(failed ?? "the cluster could not be started", remedy === undefined ? {} : { remedy }));
  });
  child.on("error", reject);
  child.on("exit", (status) =>
    reject(
      new Failure(`the cluster ended with status ${status} before it was ready`, { remedy: `see its log, ${log}` }),
    ),
  );
  try {
    return await promise;
  } finally {
    child.removeAllListeners("exit");
    child.unref();
    if (child.connected) child.disconnect();
  }
}

/** Of the default instance's cluster; elsewhere it is in the cluster's directory. */
const ADMIN_KUBECONFIG = "/etc/boxship/admin.kubeconfig";

/** Takes away the administrator's configuration, wherever `up` wrote it; what others have in that file stays. */
export async function removeKubeconfig(instance: Instance): Promise<void> {
  const { name, root } = instance;
  const record = await readClusterRecord(stateDirectory(instance));
  if (record !== undefined) await removeFromKubeconfig(record.kubeconfig, name);
  const isRoots = name === DEFAULT_INSTANCE && root === undefined && process.geteuid?.() === 0;
  if (isRoots) await removeFromKubeconfig(ADMIN_KUBECONFIG, name);
}

/**
 * The administrator's configuration of an instance's cluster, for who has none of his own: no `KUBECONFIG`, no
 * `~/.kube/config`, nothing of a cluster that one is in.
 */
export function kubeconfigOf({ name, root }: Instance, env: NodeJS.ProcessEnv): string | undefined {
  if (env["KUBECONFIG"] || existsSync(join(env["HOME"] ?? "/", ".kube", "config"))) return undefined;
  const directory = join(root ?? instanceDirectories(name, { env }).root, "cluster");
  const paths = [join(directory, "admin.kubeconfig")];
  if (name === DEFAULT_INSTANCE && root === undefined) paths.unshift(ADMIN_KUBECONFIG);
  return paths.find((path) => existsSync(path));
}

/** The process that serves the cluster of an instance; undefined where none does. */
export function clusterPid({ runDir }: Instance): number | undefined {
  try {
    const pid = Number(readFileSync(join(runDir, "cluster.pid"), "utf8"));
    // After a crash, the number may be somebody else's.
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return command.includes("cluster-process") ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** Ends the cluster of an instance, and waits until it has. @returns whether there was one */
export async function stopCluster(instance: Instance): Promise<boolean> {
  // Nobody starts it again.
  await removeClusterRecord(stateDirectory(instance));
  const pid = clusterPid(instance);
  if (pid === undefined) return false;
  process.kill(pid, "SIGTERM");
  const deadline = performance.now() + STOP_TIMEOUT_MS;
  while (clusterPid(instance) === pid || isAlive(pid)) {
    if (performance.now() > deadline) throw new Failure(`the cluster (process ${pid}) has not ended yet`);
    await delay(20);
  }
  return true;
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
