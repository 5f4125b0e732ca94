import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Unsupported } from "@boxship/base";
import { parseAmount, writeSetting } from "./files.ts";
import { type CgroupLimits, type DeviceRate, type MemoryLimits, validateLimits } from "./limits.ts";
import type { ControllerPath } from "./read-v1.ts";

/** One file to write, of one controller. */
interface Setting {
  readonly controller: string;
  readonly file: string;
  readonly value: string;
}

/** Writes limits to a v1 group. See {@link Cgroup.setLimits} for the promises. */
export async function writeLimitsV1(path: ControllerPath, limits: CgroupLimits): Promise<void> {
  validateLimits(limits);
  const settings = [
    ...(await memorySettings(path("memory"), limits.memory ?? {})),
    ...cpuSettings(limits),
    ...ioSettings(path("blkio"), limits),
  ];
  for (const { controller, file } of settings) requireFile(path(controller), file);
  for (const { controller, file, value } of settings) await writeSetting(path(controller) ?? "", file, value);
}

function requireFile(directory: string | undefined, file: string): void {
  if (directory === undefined) throw new Unsupported(`this host has no cgroup controller for ${file}`);
  if (!existsSync(directory) || existsSync(join(directory, file))) return;
  throw new Unsupported(`this kernel has no cgroup setting ${file}`);
}

const amount = (value: number) => (value === Infinity ? "-1" : String(value));

async function memorySettings(directory: string | undefined, memory: MemoryLimits): Promise<Setting[]> {
  const settings: Setting[] = [];
  const add = (file: string, value: number | undefined) => {
    if (value !== undefined) settings.push({ controller: "memory", file, value: amount(value) });
  };
  // The kernel demands memory <= memory and swap at every moment, so growing starts with the larger one.
  const both = memory.limit !== undefined && memory.memoryAndSwap !== undefined;
  const growing = both && (memory.limit ?? 0) > (await presentMemoryAndSwap(directory));
  if (growing) add("memory.memsw.limit_in_bytes", memory.memoryAndSwap);
  add("memory.limit_in_bytes", memory.limit);
  if (!growing) add("memory.memsw.limit_in_bytes", memory.memoryAndSwap);
  add("memory.soft_limit_in_bytes", memory.reservation);
  add("memory.swappiness", memory.swappiness);
  return settings;
}

async function presentMemoryAndSwap(directory: string | undefined): Promise<number> {
  const file = join(directory ?? "", "memory.memsw.limit_in_bytes");
  return existsSync(file) ? parseAmount(await readFile(file, "utf8")) : Infinity;
}

function cpuSettings({ cpu = {}, pids }: CgroupLimits): Setting[] {
  const settings: Setting[] = [];
  const add = (controller: string, file: string, value: string | undefined) => {
    if (value !== undefined) settings.push({ controller, file, value });
  };
  add("cpu", "cpu.shares", cpu.shares?.toString());
  add("cpu", "cpu.cfs_period_us", cpu.period?.toString());
  add("cpu", "cpu.cfs_quota_us", cpu.quota === undefined ? undefined : amount(cpu.quota));
  add("cpuset", "cpuset.cpus", cpu.cpus);
  add("cpuset", "cpuset.mems", cpu.mems);
  add("pids", "pids.max", pids === undefined ? undefined : pids === Infinity ? "max" : String(pids));
  return settings;
}

function ioSettings(directory: string | undefined, { io = {} }: CgroupLimits): Setting[] {
  const settings: Setting[] = [];
  if (io.weight !== undefined) {
    // The name depends on the I/O scheduler that the kernel was built with.
    const bfq = directory !== undefined && existsSync(join(directory, "blkio.bfq.weight"));
    settings.push({
      controller: "blkio",
      file: bfq ? "blkio.bfq.weight" : "blkio.weight",
      value: String(io.weight),
    });
  }
  const throttle = (file: string, rates: readonly DeviceRate[] = []) => {
    for (const { major, minor, rate } of rates) {
      const value = `${major}:${minor} ${rate === Infinity ? 0 : rate}`;
      settings.push({ controller: "blkio", file: `blkio.throttle.${file}_device`, value });
    }
  };
  throttle("read_bps", io.readBytes);
  throttle("write_bps", io.writeBytes);
  throttle("read_iops", io.readOperations);
  throttle("write_iops", io.writeOperations);
  return settings;
}
