import { existsSync } from "node:fs";
import { join } from "node:path";
import { Unsupported } from "@boxship/base";
import { parseAmount, readOptional, writeSetting } from "./files.ts";
import { type CgroupLimits, type DeviceRate, ioWeightOf, validateLimits, weightOfShares } from "./limits.ts";

type Setting = readonly [file: string, value: string];

/** Writes limits to a v2 group. See {@link Cgroup.setLimits} for the promises. */
export async function writeLimitsV2(directory: string, limits: CgroupLimits): Promise<void> {
  validateLimits(limits);
  const settings = [
    ...(await memorySettings(directory, limits)),
    ...(await cpuSettings(directory, limits)),
    ...ioSettings(directory, limits),
  ];
  for (const [file] of settings) {
    if (existsSync(directory) && !existsSync(join(directory, file))) {
      throw new Unsupported(`this host has no cgroup setting ${file}`, {
        remedy: "its controller is not switched on for the group",
      });
    }
  }
  for (const [file, value] of settings) await writeSetting(directory, file, value);
}

const amount = (value: number) => (value === Infinity ? "max" : String(value));

async function memorySettings(directory: string, { memory = {} }: CgroupLimits): Promise<Setting[]> {
  if (memory.swappiness !== undefined) throw new Unsupported("cgroup v2 has no swappiness of a group");
  const settings: Setting[] = [];
  if (memory.limit !== undefined) settings.push(["memory.max", amount(memory.limit)]);
  if (memory.reservation !== undefined) settings.push(["memory.low", amount(memory.reservation)]);
  if (memory.memoryAndSwap !== undefined) {
    const limit = memory.limit ?? parseAmount((await readOptional(directory, "memory.max")) ?? "max");
    // Here swap is counted by itself.
    const swap = memory.memoryAndSwap === Infinity ? Infinity : Math.max(0, memory.memoryAndSwap - limit);
    settings.push(["memory.swap.max", amount(swap)]);
  }
  return settings;
}

const DEFAULT_PERIOD = 100_000;

async function cpuSettings(directory: string, { cpu = {}, pids }: CgroupLimits): Promise<Setting[]> {
  const settings: Setting[] = [];
  if (cpu.shares !== undefined) settings.push(["cpu.weight", String(weightOfShares(cpu.shares))]);
  if (cpu.quota !== undefined || cpu.period !== undefined) {
    // Both stand in one file, so that what is not given is taken from it.
    const [quota = "max", period = String(DEFAULT_PERIOD)] =
      (await readOptional(directory, "cpu.max"))?.trim().split(" ") ?? [];
    settings.push(["cpu.max", `${cpu.quota === undefined ? quota : amount(cpu.quota)} ${cpu.period ?? period}`]);
  }
  if (cpu.cpus !== undefined) settings.push(["cpuset.cpus", cpu.cpus]);
  if (cpu.mems !== undefined) settings.push(["cpuset.mems", cpu.mems]);
  if (pids !== undefined) settings.push(["pids.max", amount(pids)]);
  return settings;
}

function ioSettings(directory: string, { io = {} }: CgroupLimits): Setting[] {
  const settings: Setting[] = [];
  if (io.weight !== undefined) {
    // BFQ keeps v1's units; the name depends on the I/O scheduler that the kernel was built with.
    const bfq = existsSync(join(directory, "io.bfq.weight"));
    settings.push(bfq ? ["io.bfq.weight", String(io.weight)] : ["io.weight", `default ${ioWeightOf(io.weight)}`]);
  }
  const throttle = (key: string, rates: readonly DeviceRate[] = []) => {
    for (const { major, minor, rate } of rates) settings.push(["io.max", `${major}:${minor} ${key}=${amount(rate)}`]);
  };
  throttle("rbps", io.readBytes);
  throttle("wbps", io.writeBytes);
  throttle("riops", io.readOperations);
  throttle("wiops", io.writeOperations);
  return settings;
}
