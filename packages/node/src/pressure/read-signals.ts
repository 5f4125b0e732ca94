import { readFile, statfs } from "node:fs/promises";

/** What a node has left: bytes, inodes, processes. */
export interface NodeSignals {
  readonly memory: Amount;
  readonly disk: Amount;
  readonly inodes: Amount;
  readonly pids: Amount;
}

export interface Amount {
  readonly available: number;
  readonly capacity: number;
}

/** @param root on the file system that pods, their logs and images are on */
export async function readSignals(root: string): Promise<NodeSignals> {
  const [meminfo, loadavg, most, { bsize, blocks, bavail, files, ffree }] = await Promise.all([
    readFile("/proc/meminfo", "utf8"),
    readFile("/proc/loadavg", "utf8"),
    readFile("/proc/sys/kernel/pid_max", "utf8"),
    statfs(root),
  ]);
  const kilobytes = (name: string): number => Number(new RegExp(`^${name}: +(\\d+) kB$`, "m").exec(meminfo)?.[1] ?? 0);
  const threads = Number(/\/(\d+) /.exec(loadavg)?.[1] ?? 0);
  return {
    memory: { available: kilobytes("MemAvailable") * 1024, capacity: kilobytes("MemTotal") * 1024 },
    disk: { available: bavail * bsize, capacity: blocks * bsize },
    inodes: { available: ffree, capacity: files },
    pids: { available: Number(most) - threads, capacity: Number(most) },
  };
}
