import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { InvalidArgument } from "@boxship/base";
import type { Init } from "@boxship/grpc";
import { checkKernelLimits } from "./kernel-limits.ts";
import { ContainerConfig, Mount } from "./messages/config.ts";

const MOUNT = Mount.decode(Buffer.alloc(0));
const given = (change: Init<ContainerConfig>) =>
  ({ ...ContainerConfig.decode(Buffer.alloc(0)), ...change }) as ContainerConfig;

test("what Linux runs no container with is refused by the name of its field", async () => {
  const refused = (change: Init<ContainerConfig>, message: RegExp) =>
    assert.rejects(
      checkKernelLimits(given(change)),
      (error) => error instanceof InvalidArgument && message.test(error.message),
    );
  const most = Number(readFileSync("/proc/sys/fs/mount-max", "utf8"));
  const mounts = (length: number) => Array.from({ length }, () => MOUNT);
  await refused({ mounts: mounts(most + 1) }, new RegExp(`^mounts: ${most + 1} are more than the ${most} `));
  await checkKernelLimits(given({ mounts: mounts(most) }));

  const long = "x".repeat(3 << 20);
  await refused({ command: [long] }, /^command has 3145728 bytes; the kernel takes at most/);
  await refused({ args: ["a", long] }, /^args has 3145728 bytes/);
  await refused({ envs: [{ key: "K", value: Buffer.from(long) }] }, /^envs: K has 3145730 bytes/);
  const value = Buffer.alloc(120_000);
  const envs = (length: number) => Array.from({ length }, (_, at) => ({ key: `K${at}`, value }));
  await refused({ envs: envs(53) }, /bytes together; the kernel takes at most 6291456/);
  await checkKernelLimits(given({ envs: envs(52), args: ["a"] }));
});
