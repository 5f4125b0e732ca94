import { readFile } from "node:fs/promises";
import { InvalidArgument } from "@boxship/base";
import type { ContainerConfig } from "./messages/config.ts";

/** Of the kernel, where it does not say another. */
const MOST_MOUNTS = 100_000;
/** Of one argument or variable with the zero behind it: 32 pages, as large as they may be here. */
const MOST_STRING = 32 * (process.arch === "x64" ? 4096 : 65_536);
/** Of all of them, with a pointer to each: three quarters of the usual stack, whatever the limit of the stack is. */
const MOST_STRINGS = 6 << 20;
const POINTER = 8;

/**
 * Refuses what this kernel could never run, before anything is made of it: see `execve(2)` and `fs.mount-max` of `proc(5)`.
 * @throws InvalidArgument naming the field
 */
export async function checkKernelLimits({ mounts, command, args, envs }: ContainerConfig): Promise<void> {
  if (mounts.length > 0) {
    const most = await mostMounts();
    if (mounts.length > most) {
      throw new InvalidArgument(
        `mounts: ${mounts.length} are more than the ${most} that this kernel allows (fs.mount-max)`,
      );
    }
  }
  let total = 0;
  const add = (field: string, length: number) => {
    if (length + 1 > MOST_STRING) {
      throw new InvalidArgument(
        `${field} has ${length} bytes; the kernel takes at most ${MOST_STRING - 1} in one string`,
      );
    }
    total += length + 1 + POINTER;
  };
  for (const one of command) add("command", Buffer.byteLength(one));
  for (const one of args) add("args", Buffer.byteLength(one));
  for (const { key, value } of envs) add(`envs: ${key.slice(0, 100)}`, Buffer.byteLength(key) + 1 + value.length);
  if (total <= MOST_STRINGS) return;
  throw new InvalidArgument(
    `envs, command and args have ${total} bytes together; the kernel takes at most ${MOST_STRINGS}`,
  );
}

async function mostMounts(): Promise<number> {
  const text = await readFile("/proc/sys/fs/mount-max", "utf8").catch(() => "");
  return Number.parseInt(text, 10) || MOST_MOUNTS;
}
