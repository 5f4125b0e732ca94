import { readdirSync, readFileSync, realpathSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { systemCode } from "@boxship/base";
import { SyscallError } from "./errno.ts";
import { type Descriptor, descriptorNumber, Fd } from "./fd.ts";
import { check, libc } from "./ffi.ts";
import { CurrentDirectory, OpenFlag, openat } from "./open.ts";

/** Loop devices: files as block devices. */

const ioctl = libc.bind<number>("ioctl", ["i32", "i32", "u64", "pointer"]);

const LOOP_CTL_GET_FREE = 0x4c82n;
const LOOP_CONFIGURE = 0x4c0an;
const LOOP_SET_CAPACITY = 0x4c07n;
const EXT4_IOC_RESIZE_FS = 0x40086610n;

// struct loop_config: the descriptor, the block size, struct loop_info64, 64 reserved bytes.
const CONFIG_SIZE = 304;
const FLAGS_AT = 8 + 52;
const NAME_AT = 8 + 56;
const LONGEST_NAME = 63;
const LO_FLAGS_AUTOCLEAR = 4;

const EBUSY = 16;
const TRIES = 50;

/** A loop device that goes by itself once nobody has it open or mounted: hold it until it is mounted. */
export interface LoopDevice extends Disposable {
  /** `/dev/loop` and a number. */
  readonly path: string;
}

/**
 * Makes a block device of a file.
 *
 * @param name what tools show as its file
 * @throws SyscallError: ENOENT or EPERM where there are no loop devices
 */
export async function attachLoopDevice(file: Descriptor, name: string): Promise<LoopDevice> {
  for (let attempt = 1; ; attempt++) {
    const path = `/dev/loop${freeLoopDevice()}`;
    const device = openat(CurrentDirectory, path, OpenFlag.ReadWrite);
    try {
      configure(device, file, name);
      return { path, [Symbol.dispose]: () => device.close() };
    } catch (error) {
      device.close();
      // Somebody else was quicker.
      if (!(error instanceof SyscallError) || error.errno !== EBUSY || attempt === TRIES) throw error;
    }
    await delay(attempt);
  }
}

/**
 * The loop device of a file, `/dev/loop` and a number. A file system that was unmounted here may be mounted in another
 * mount namespace for a while: as long as it is, the file must not get a second device.
 */
export function findLoopDevice(file: string): string | undefined {
  const path = realpathSync(file);
  for (const name of readdirSync("/sys/block")) {
    if (!name.startsWith("loop")) continue;
    try {
      if (readFileSync(`/sys/block/${name}/loop/backing_file`, "utf8").trimEnd() === path) return `/dev/${name}`;
    } catch (error) {
      // Not in use, or not any more.
      const code = systemCode(error);
      if (code !== "ENOENT" && code !== "ENODEV" && code !== "ENXIO") throw error;
    }
  }
  return undefined;
}

/** The loop device that a file has, or a new one, see {@link attachLoopDevice}. */
export async function loopDeviceOf(file: string): Promise<LoopDevice> {
  const path = findLoopDevice(file);
  if (path !== undefined) {
    const device = openat(CurrentDirectory, path, OpenFlag.ReadWrite);
    // Held open it does not go; it may have gone a moment before.
    if (findLoopDevice(file) === path) return { path, [Symbol.dispose]: () => device.close() };
    device.close();
  }
  using fd = openat(CurrentDirectory, file, OpenFlag.ReadWrite | OpenFlag.NoFollow);
  return await attachLoopDevice(fd, file);
}

function freeLoopDevice(): number {
  using control = openat(CurrentDirectory, "/dev/loop-control", OpenFlag.ReadWrite);
  return check(ioctl(control.number, LOOP_CTL_GET_FREE, null), "ioctl LOOP_CTL_GET_FREE");
}

function configure(device: Fd, file: Descriptor, name: string): void {
  const config = Buffer.alloc(CONFIG_SIZE);
  config.writeUInt32LE(descriptorNumber(file), 0);
  config.writeUInt32LE(LO_FLAGS_AUTOCLEAR, FLAGS_AT);
  config.write(name.slice(0, LONGEST_NAME), NAME_AT, "latin1");
  check(ioctl(device.number, LOOP_CONFIGURE, config), "ioctl LOOP_CONFIGURE");
}

/** Tells a loop device that its file has grown. */
export function updateLoopCapacity(path: string): void {
  using device = openat(CurrentDirectory, path, OpenFlag.ReadOnly);
  check(ioctl(device.number, LOOP_SET_CAPACITY, null), "ioctl LOOP_SET_CAPACITY", path);
}

/** Lets a mounted ext4 grow to a number of its blocks. */
export function growExt4(mountpoint: Descriptor, blocks: number): void {
  const count = Buffer.alloc(8);
  count.writeBigUInt64LE(BigInt(blocks));
  check(ioctl(descriptorNumber(mountpoint), EXT4_IOC_RESIZE_FS, count), "ioctl EXT4_IOC_RESIZE_FS");
}
