import { lookup } from "node:dns/promises";
import { errorMessage, InvalidArgument, Unavailable } from "@boxship/base/errors";
import { MountFlag } from "@boxship/kernel";
import { parseLimit } from "../image/filesystem-image.ts";

/** Options of the local driver, in Docker's words: `type`, `device` and `o` are those of mount(8). */
export type VolumeOptions = Readonly<Record<string, string>>;

/** A mount that a volume's options ask for. */
export interface VolumeMount {
  readonly type: string;
  readonly device: string;
  /** `MountFlag` values. */
  readonly flags: number;
  /** Options of the file system. */
  readonly data: string;
  /** Bytes of the image that is mounted instead of a device. */
  readonly limit?: number;
}

const SET: Readonly<Record<string, number>> = {
  ro: MountFlag.ReadOnly,
  nosuid: MountFlag.NoSuid,
  nodev: MountFlag.NoDev,
  noexec: MountFlag.NoExec,
  sync: MountFlag.Synchronous,
  noatime: MountFlag.NoAtime,
  nodiratime: MountFlag.NoDirAtime,
  relatime: MountFlag.RelAtime,
  strictatime: MountFlag.StrictAtime,
  bind: MountFlag.Bind,
  rbind: MountFlag.Bind | MountFlag.Rec,
};

const CLEAR: Readonly<Record<string, number>> = {
  rw: MountFlag.ReadOnly,
  suid: MountFlag.NoSuid,
  dev: MountFlag.NoDev,
  exec: MountFlag.NoExec,
  async: MountFlag.Synchronous,
  atime: MountFlag.NoAtime,
  diratime: MountFlag.NoDirAtime,
  norelatime: MountFlag.RelAtime,
  nostrictatime: MountFlag.StrictAtime,
};

const MANDATORY = ["device", "type"];

/**
 * Checks a volume's options and reads the mount that they ask for.
 *
 * @returns undefined for a plain volume, which is a directory
 */
export function parseVolumeOptions(options: VolumeOptions): VolumeMount | undefined {
  const names = Object.keys(options);
  if (names.length === 0) return undefined;
  if (options["size"] !== undefined) return limited(options["size"], names);
  for (const name of names) {
    if (!MANDATORY.includes(name) && name !== "o") {
      throw new InvalidArgument(`invalid option: ${JSON.stringify(name)}`, {
        remedy: "the local driver has type, device and o",
      });
    }
  }
  for (const name of MANDATORY) {
    if ((options[name] ?? "") === "") throw new InvalidArgument(`missing required option: ${JSON.stringify(name)}`);
  }
  const { type = "", device = "", o = "" } = options;
  const { flags, data } = parseMountWords(o);
  if ((flags & MountFlag.Bind) !== 0 && !device.startsWith("/")) {
    throw new InvalidArgument(`the device ${JSON.stringify(device)} of a bind volume is not an absolute path`);
  }
  return { type, device, flags, data };
}

function limited(size: string, names: readonly string[]): VolumeMount {
  const other = names.find((name) => name !== "size");
  if (other !== undefined) {
    throw new InvalidArgument(`the option "size" goes with no other: ${JSON.stringify(other)}`, {
      remedy: "a file system of its own has its limit in o=, as in type=tmpfs,device=tmpfs,o=size=64m",
    });
  }
  return { type: "ext4", device: "", flags: 0, data: "", limit: parseLimit(size) };
}

function parseMountWords(words: string): { readonly flags: number; readonly data: string } {
  let flags = 0;
  const data: string[] = [];
  for (const word of words.split(",")) {
    const [set, clear] = [SET[word], CLEAR[word]];
    if (set !== undefined) flags |= set;
    else if (clear !== undefined) flags &= ~clear;
    else if (word !== "" && word !== "defaults") data.push(word);
  }
  return { flags, data: data.join(",") };
}

/** NFS and CIFS take addresses, people write names: replaces the host of `addr=` by its address. */
export async function resolveAddress(mount: VolumeMount): Promise<VolumeMount> {
  const match = /(?:^|,)addr=([^,]+)/.exec(mount.data);
  const host = match?.[1];
  if (host === undefined) return mount;
  try {
    const { address } = await lookup(host);
    return { ...mount, data: mount.data.replace(`addr=${host}`, `addr=${address}`) };
  } catch (error) {
    throw new Unavailable(`the volume's address ${JSON.stringify(host)} cannot be resolved: ${errorMessage(error)}`, {
      cause: error,
    });
  }
}
