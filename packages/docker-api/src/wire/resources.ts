import type { Resources, ThrottleDevice } from "@boxship/engine";
import { boolean, type Codec, field, integer, list, object, type RefusedField, string } from "./codec.ts";

const throttle = list(
  object<ThrottleDevice>("ThrottleDevice", {
    path: field("Path", string, { absent: "" }),
    rate: field("Rate", integer("uint64"), { absent: 0, keepZero: true }),
  }),
);

const weights = list(
  object<{ readonly path: string; readonly weight: number }>("WeightDevice", {
    path: field("Path", string, { absent: "" }),
    weight: field("Weight", integer("uint16"), { absent: 0, keepZero: true }),
  }),
);

const WINDOWS = "it exists on Windows only";
const KERNEL_MEMORY = "Linux has no separate limit of kernel memory any more";

/** Fields of `Resources` that no Linux host, or not this engine, can honour. */
const REFUSED: readonly RefusedField[] = [
  { wire: "KernelMemory", reason: KERNEL_MEMORY, warn: true, harmless: [-1] },
  { wire: "KernelMemoryTCP", reason: KERNEL_MEMORY, warn: true, harmless: [-1] },
  { wire: "CpuCount", reason: WINDOWS },
  { wire: "CpuPercent", reason: WINDOWS },
  { wire: "IOMaximumIOps", reason: WINDOWS },
  { wire: "IOMaximumBandwidth", reason: WINDOWS },
  { wire: "DiskQuota", reason: WINDOWS },
];

const fields = object<Resources>(
  "HostConfig",
  {
    cpuShares: field("CpuShares", integer(), { zero: 0 }),
    memory: field("Memory", integer(), { zero: 0 }),
    nanoCpus: field("NanoCpus", integer(), { zero: 0 }),
    blkioWeight: field("BlkioWeight", integer("uint16"), { zero: 0 }),
    blkioWeightDevice: field("BlkioWeightDevice", weights, { zero: [] }),
    blkioDeviceReadBps: field("BlkioDeviceReadBps", throttle, { zero: [] }),
    blkioDeviceWriteBps: field("BlkioDeviceWriteBps", throttle, { zero: [] }),
    blkioDeviceReadIops: field("BlkioDeviceReadIOps", throttle, { zero: [] }),
    blkioDeviceWriteIops: field("BlkioDeviceWriteIOps", throttle, { zero: [] }),
    cpuPeriod: field("CpuPeriod", integer(), { zero: 0 }),
    cpuQuota: field("CpuQuota", integer(), { zero: 0 }),
    cpuRealtimePeriod: field("CpuRealtimePeriod", integer(), { zero: 0 }),
    cpuRealtimeRuntime: field("CpuRealtimeRuntime", integer(), { zero: 0 }),
    cpusetCpus: field("CpusetCpus", string, { zero: "" }),
    cpusetMems: field("CpusetMems", string, { zero: "" }),
    memoryReservation: field("MemoryReservation", integer(), { zero: 0 }),
    memorySwap: field("MemorySwap", integer(), { zero: 0 }),
    memorySwappiness: field("MemorySwappiness", integer(), { zero: null, keepZero: true }),
    oomKillDisable: field("OomKillDisable", boolean, { zero: null }),
    pidsLimit: field("PidsLimit", integer(), { zero: null, keepZero: true }),
  },
  REFUSED,
);

/** The limits inside `HostConfig`, and the body of `update`. */
export const resources: Codec<Resources> = {
  ...fields,
  decode(value, at, context) {
    const { memorySwappiness, ...rest } = fields.decode(value, at, context);
    // The command line writes -1 for "as the host has it".
    return memorySwappiness === undefined || memorySwappiness === -1 ? rest : { ...rest, memorySwappiness };
  },
  encode(value, version) {
    const encoded = fields.encode(value, version) as Record<string, unknown>;
    if (version < 42) return { ...encoded, KernelMemory: 0, KernelMemoryTCP: 0, ...WINDOWS_ZEROS };
    return { ...encoded, ...WINDOWS_ZEROS };
  },
};

const WINDOWS_ZEROS = { CpuCount: 0, CpuPercent: 0, IOMaximumIOps: 0, IOMaximumBandwidth: 0 };
