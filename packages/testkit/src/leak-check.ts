import { execFile } from "node:child_process";
import { readdir, readFile, readlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** What stands on this host that tests of ours could have made, each as one line such as `mount /run/boxship/x`. */
export type Inventory = ReadonlySet<string>;

/** Programs that tests start and that must not outlive them. */
const programs = new Set([
  "conmon",
  "crun",
  "runc",
  "docker-registry",
  "dockerd",
  "containerd",
  "containerd-shim",
  "docker-proxy",
  "etcd",
]);

/** Names of ours: what tests make carries `boxship` in its path or name, or a short device prefix. */
const ourPath = /boxship/;
const ourDevice = /^(bx|boxship)/;
/** Of engines, whose names tests make by chance. */
const ourGroup = /^bx[0-9a-f]{6}$/;

async function mounts(): Promise<string[]> {
  const table = await readFile("/proc/self/mountinfo", "utf8");
  const points = table.split("\n").map((line) => line.split(" ")[4] ?? "");
  return points.filter((point) => ourPath.test(point)).map((point) => `mount ${point}`);
}

async function devices(): Promise<string[]> {
  const names = await readdir("/sys/class/net");
  return names.filter((name) => ourDevice.test(name)).map((name) => `network device ${name}`);
}

function command(file: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(file, [...args], (error, stdout) => resolve(error === null ? stdout : ""));
  });
}

async function tables(): Promise<string[]> {
  const lines = (await command("nft", ["list", "tables"])).split("\n");
  return lines.filter((line) => /boxship|\bbx/.test(line)).map((line) => `nftables ${line}`);
}

async function controlGroups(): Promise<string[]> {
  const found = new Set<string>();
  const visit = async (folder: string, depth: number): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (!entry.isDirectory()) continue;
      const path = join(folder, entry.name);
      if (ourPath.test(entry.name) || ourGroup.test(entry.name)) found.add(`control group ${path}`);
      else if (depth < 4) await visit(path, depth + 1);
    }
  };
  await visit("/sys/fs/cgroup", 0);
  return [...found];
}

async function networkNamespaces(): Promise<string[]> {
  const names = await readdir("/run/netns").catch(() => []);
  return names.filter((name) => ourDevice.test(name)).map((name) => `network namespace ${name}`);
}

async function describeProcess(pid: string): Promise<string | undefined> {
  try {
    const [status, line, executable] = await Promise.all([
      readFile(`/proc/${pid}/comm`, "utf8"),
      readFile(`/proc/${pid}/cmdline`, "utf8"),
      readlink(`/proc/${pid}/exe`),
    ]);
    const words = line.split("\0").join(" ").trim();
    const daemon = /boxship/.test(words) && /\bdaemon\b/.test(words) && executable.includes("node");
    return programs.has(status.trim()) || daemon ? `process ${pid} ${words}` : undefined;
  } catch {
    return undefined; // it ended meanwhile, or is a thread of the kernel
  }
}

async function processes(): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map(describeProcess));
  return lines.filter((line) => line !== undefined);
}

async function temporaryDirectories(): Promise<string[]> {
  const names = await readdir(tmpdir());
  return names.filter((name) => name.startsWith("boxship")).map((name) => `temporary ${join(tmpdir(), name)}`);
}

/** Everything that is there now. */
export async function takeInventory(): Promise<Inventory> {
  const parts = [mounts, devices, tables, controlGroups, networkNamespaces, processes, temporaryDirectories];
  return new Set((await Promise.all(parts.map((part) => part()))).flat());
}

export interface FindLeaksOptions {
  /** Milliseconds. @default 5000 */
  readonly patience?: number;
  /** Which lines count, where other tests run beside this one. @default all */
  readonly only?: (line: string) => boolean;
}

/**
 * What is there now and was not in `before`, sorted. Things that go away by themselves within `patience` (a process that
 * is just ending, a control group that is being emptied) are no leak.
 */
export async function findLeaks(before: Inventory, options: FindLeaksOptions = {}): Promise<string[]> {
  const { patience = 5000, only = () => true } = options;
  const deadline = performance.now() + patience;
  for (;;) {
    const now = await takeInventory();
    const leaks = [...now].filter((line) => !before.has(line) && only(line)).sort();
    if (leaks.length === 0 || performance.now() > deadline) return leaks;
    await delay(200);
  }
}
