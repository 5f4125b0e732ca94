import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { temporaryDirectory } from "../testing.ts";
import { type CgroupLimits, ioWeightOf, validateLimits, weightOfShares } from "./limits.ts";
import { writeLimitsV1 } from "./write-v1.ts";
import { writeLimitsV2 } from "./write-v2.ts";

test("values that no kernel takes are refused", () => {
  const refused: readonly CgroupLimits[] = [
    { memory: { limit: -1 } },
    { memory: { limit: Number.NaN } },
    { memory: { limit: 100, memoryAndSwap: 99 } },
    { memory: { swappiness: 101 } },
    { cpu: { shares: 1 } },
    { cpu: { period: 999 } },
    { cpu: { cpus: "0-" } },
    { cpu: { mems: "a" } },
    { pids: 0 },
    { io: { weight: 9 } },
  ];
  for (const limits of refused) assert.throws(() => validateLimits(limits), { code: "InvalidArgument" });
  validateLimits({ memory: { limit: Infinity, memoryAndSwap: Infinity }, cpu: { cpus: "0-2,7" }, pids: Infinity });
});

test("weights keep their order and their ends", () => {
  assert.deepEqual([weightOfShares(2), weightOfShares(1024), weightOfShares(262_144)], [1, 39, 10_000]);
  assert.deepEqual([ioWeightOf(10), ioWeightOf(500), ioWeightOf(1000)], [1, 4950, 10_000]);
  const shares = fc.integer({ min: 2, max: 262_144 });
  fc.assert(fc.property(shares, shares, (a, b) => a > b || weightOfShares(a) <= weightOfShares(b)));
});

/** A directory with empty files in the place of the kernel's. */
function fakeGroup(files: Readonly<Record<string, string>>) {
  const directory = temporaryDirectory();
  for (const [file, text] of Object.entries(files)) writeFileSync(join(directory.path, file), text);
  return {
    path: directory.path,
    written: () =>
      Object.fromEntries(
        readdirSync(directory.path)
          .map((file) => [file, readFileSync(join(directory.path, file), "utf8")] as const)
          .filter(([file, text]) => text !== files[file]),
      ),
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  };
}

const limits: CgroupLimits = {
  memory: { limit: 1000, memoryAndSwap: 3000, reservation: 500 },
  cpu: { shares: 1024, quota: 50_000, cpus: "0", mems: "0" },
  pids: Infinity,
  io: { weight: 500, writeBytes: [{ major: 8, minor: 0, rate: 1e6 }] },
};

test("v1 files", async () => {
  const names = ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.soft_limit_in_bytes", "cpu.shares"];
  const others = ["cpu.cfs_quota_us", "cpu.cfs_period_us", "cpuset.cpus", "cpuset.mems", "pids.max"];
  const io = ["blkio.weight", "blkio.throttle.write_bps_device"];
  using group = fakeGroup(Object.fromEntries([...names, ...others, ...io].map((name) => [name, ""])));
  await writeLimitsV1(() => group.path, limits);
  assert.deepEqual(group.written(), {
    "memory.limit_in_bytes": "1000",
    "memory.memsw.limit_in_bytes": "3000",
    "memory.soft_limit_in_bytes": "500",
    "cpu.shares": "1024",
    "cpu.cfs_quota_us": "50000",
    "cpuset.cpus": "0",
    "cpuset.mems": "0",
    "pids.max": "max",
    "blkio.weight": "500",
    "blkio.throttle.write_bps_device": "8:0 1000000",
  });
});

test("v2 files: swap by itself, quota and period in one, weights converted", async () => {
  const names = ["memory.max", "memory.swap.max", "memory.low", "cpu.weight", "cpuset.cpus", "cpuset.mems"];
  const empty = Object.fromEntries([...names, "pids.max", "io.weight", "io.max"].map((name) => [name, ""]));
  using group = fakeGroup({ ...empty, "cpu.max": "max 200000\n" });
  await writeLimitsV2(group.path, limits);
  assert.deepEqual(group.written(), {
    "memory.max": "1000",
    "memory.swap.max": "2000",
    "memory.low": "500",
    "cpu.weight": "39",
    "cpu.max": "50000 200000",
    "cpuset.cpus": "0",
    "cpuset.mems": "0",
    "pids.max": "max",
    "io.weight": "default 4950",
    "io.max": "8:0 wbps=1000000",
  });
});

test("a setting that the host lacks is refused before anything is written", async () => {
  using group = fakeGroup({ "memory.max": "", "memory.limit_in_bytes": "" });
  const wanted: CgroupLimits = { memory: { limit: 1000 }, pids: 10 };
  await assert.rejects(writeLimitsV2(group.path, wanted), { code: "Unsupported", message: /pids\.max/ });
  await assert.rejects(
    writeLimitsV1((controller) => (controller === "memory" ? group.path : undefined), wanted),
    { code: "Unsupported", message: /pids\.max/ },
  );
  await assert.rejects(writeLimitsV2(group.path, { memory: { swappiness: 10 } }), { code: "Unsupported" });
  assert.deepEqual(group.written(), {});
});

test("a group that does not exist is named", async () => {
  using group = fakeGroup({});
  const absent = join(group.path, "absent");
  await assert.rejects(writeLimitsV2(absent, { pids: 10 }), { code: "NotFound", message: /absent\/pids\.max/ });
  mkdirSync(absent);
  await assert.rejects(writeLimitsV2(absent, { pids: 10 }), { code: "Unsupported" });
});
