import assert from "node:assert/strict";
import { test } from "node:test";
import type { HostFacts } from "@boxship/runtime";
import { withoutDiscarded } from "./discarded-limits.ts";

const ALL = ["memory", "pids", "cpu", "cpuset", "blkio"];

function host(controllers: readonly string[], able: boolean): Pick<HostFacts, "cgroup"> {
  return {
    cgroup: {
      version: "v2",
      controllers: new Set(controllers),
      swap: able,
      swappiness: able,
      oomKillDisable: able,
      blkioWeight: able,
      cpuRealtime: able,
    },
  };
}

const LIMITS = {
  memory: 64 << 20,
  memorySwap: 128 << 20,
  memorySwappiness: 10,
  pidsLimit: 5,
  nanoCpus: 1e9,
  cpusetCpus: "0",
  blkioWeight: 100,
  blkioDeviceReadBps: [{ path: "/dev/loop0", rate: 1 }],
};

test("what a host can enforce stays as it is asked for", () => {
  assert.deepEqual(withoutDiscarded(LIMITS, host(ALL, true)), LIMITS);
});

test("of what it cannot nothing is kept, and swap is unlimited", () => {
  assert.deepEqual(withoutDiscarded(LIMITS, host([], false)), { memorySwap: -1 });
  assert.deepEqual(withoutDiscarded({ memory: 64 << 20, cpuShares: 2 }, host(["memory", "cpu"], false)), {
    memory: 64 << 20,
    cpuShares: 2,
    memorySwap: -1,
  });
});
