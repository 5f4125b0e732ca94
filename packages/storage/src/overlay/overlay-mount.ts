import { mkdirSync, readdirSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { BoxshipError, errorMessage, ResourceExhausted, systemCode, Unsupported } from "@boxship/base/errors";
import {
  CurrentDirectory,
  descriptorPath,
  detachMount,
  type FilesystemOption,
  isMountPoint,
  MountAttribute,
  MountFlag,
  mount,
  mountFilesystem,
  OpenFlag,
  openat,
  overlayXattrSpace,
} from "@boxship/kernel";
import type { MountContainerOptions } from "../contract.ts";
import { mountFuseOverlay } from "./fuse-overlay.ts";

export interface OverlayMount {
  /** Topmost first; at least one. */
  readonly lowers: readonly string[];
  readonly upper: string;
  readonly work: string;
  readonly target: string;
  readonly options: MountContainerOptions;
}

/** How overlays are mounted: by the kernel, option by option (Linux 6.7) or as one page of options, or by fuse-overlayfs. */
export type OverlayMethod = "descriptors" | "data" | "fuse";

/** What mounts overlays, in Docker's words. `overlay2` is the kernel, and fuse-overlayfs where it does not let a user. */
export const STORAGE_DRIVERS = ["overlay2", "fuse-overlayfs"] as const;
export type StorageDriver = (typeof STORAGE_DRIVERS)[number];

/** The kernel's limit, OVL_MAX_STACK. */
const MOST_LAYERS = 500;
const PAGE = 4096;
// Behaviour that the records rely on, whatever the kernel's defaults: a layer holds whole files and plain directories.
type PlainOption = readonly [name: string, value: string | true];

const FIXED: readonly PlainOption[] = [
  ["index", "off"],
  ["metacopy", "off"],
  ["redirect_dir", "off"],
];
/** With marks in `user.` attributes the kernel takes no other word for "off". */
const FIXED_USER: readonly PlainOption[] = [
  ["index", "off"],
  ["metacopy", "off"],
  ["redirect_dir", "nofollow"],
  ["userxattr", true],
];

function fixedOptions(): readonly PlainOption[] {
  return overlayXattrSpace() === "user" ? FIXED_USER : FIXED;
}

/** Mounts an overlay. Throws `ResourceExhausted` for more layers than the kernel takes. */
export function mountOverlay(method: OverlayMethod, request: OverlayMount): void {
  const { lowers } = request;
  if (lowers.length > MOST_LAYERS) throw tooMany(lowers.length, MOST_LAYERS);
  if (method === "fuse") mountFuseOverlay(request);
  else if (method === "descriptors") mountByOptions(request);
  else mountByData(request);
}

function tooMany(count: number, limit: number): ResourceExhausted {
  return new ResourceExhausted(`the image has ${count} layers, the kernel mounts at most ${limit}`, {
    remedy: "squash the image",
  });
}

function mountByOptions({ lowers, upper, work, target, options }: OverlayMount): void {
  const label: FilesystemOption[] = options.mountLabel === undefined ? [] : [["context", options.mountLabel]];
  mountFilesystem({
    type: "overlay",
    target,
    options: [
      ...lowers.map((lower): FilesystemOption => ["lowerdir+", lower]),
      ["upperdir", upper],
      ["workdir", work],
      ...fixedOptions(),
      ...label,
    ],
    attributes: options.readOnly === true ? MountAttribute.ReadOnly : 0,
  });
}

/** Directories are named by descriptors: the names are short, whatever the paths are and whatever characters they hold. */
function mountByData({ lowers, upper, work, target, options }: OverlayMount): void {
  using open = new DisposableStack();
  const place = (path: string) =>
    descriptorPath(open.use(openat(CurrentDirectory, path, OpenFlag.Path | OpenFlag.Directory)));
  const parts = [
    `lowerdir=${lowers.map(place).join(":")}`,
    `upperdir=${place(upper)}`,
    `workdir=${place(work)}`,
    ...fixedOptions().map(([name, value]) => (value === true ? name : `${name}=${value}`)),
    ...(options.mountLabel === undefined ? [] : [`context="${options.mountLabel}"`]),
  ];
  const data = parts.join(",");
  if (data.length >= PAGE) throw tooMany(lowers.length, Math.floor(PAGE / 20));
  const flags = options.readOnly === true ? MountFlag.ReadOnly : 0;
  mount({ source: "overlay", target, type: "overlay", data, flags });
}

/** Where {@link probeOverlay} mounts. The directory stays: on a disk that is full none can be made. */
export const PROBE = "probe";

/**
 * Finds out how overlays can be mounted on the file system of `root`, by mounting one.
 *
 * @throws Unsupported when they cannot be
 */
export function probeOverlay(root: string, { plain = root, driver = "overlay2" }: ProbeOptions = {}): OverlayMethod {
  const names = ["lower", "upper", "work", "merged"] as const;
  makeDirectory(join(plain, PROBE));
  for (const name of names) makeDirectory(join(plain, PROBE, name));
  const [lower, upper, work, target] = names.map((name) => join(root, PROBE, name)) as [string, string, string, string];
  // Of a process that was killed meanwhile.
  while (isMountPoint(target)) detachMount(target);
  const failures: unknown[] = [];
  for (const method of methodsOf(driver)) {
    try {
      mountOverlay(method, { lowers: [lower], upper, work, target, options: {} });
      try {
        // Where a program serves it only this tells that it does.
        readdirSync(target);
      } finally {
        detachMount(target);
      }
      return method;
    } catch (error) {
      failures.push(error);
    }
  }
  throw unsupported(root, failures);
}

/** Below /proc, Node's own `recursive` tries for ever. */
function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
  }
}

function methodsOf(driver: StorageDriver): readonly OverlayMethod[] {
  if (driver === "fuse-overlayfs") return ["fuse"];
  return overlayXattrSpace() === "user" ? ["descriptors", "data", "fuse"] : ["descriptors", "data"];
}

export interface ProbeOptions {
  /** The same directory where files can be made. @default the directory itself */
  readonly plain?: string;
  /** @default overlay2 */
  readonly driver?: StorageDriver;
}

function unsupported(root: string, failures: readonly unknown[]): Unsupported {
  // What fuse-overlayfs says after the kernel is of no use where it is not meant to be there.
  const [first, second = first] = failures;
  const type = filesystemType(root);
  const user = overlayXattrSpace() === "user";
  const remedies: Readonly<Record<string, string>> = {
    EPERM: user
      ? "Linux 5.11 and later let users mount overlays; elsewhere install fuse-overlayfs, or start the engine as root"
      : "run as root; inside a container it needs to be privileged",
    ENODEV: "load the kernel's overlay module: modprobe overlay",
  };
  const own = first instanceof BoxshipError ? first.remedy : undefined;
  const remedy =
    own ?? remedies[systemCode(second) ?? ""] ?? "use --root with a directory on ext4, xfs, btrfs or tmpfs";
  return new Unsupported(`overlay file systems cannot be mounted on ${root} (${type}): ${errorMessage(first)}`, {
    cause: first,
    subject: { kind: "filesystem", name: root },
    remedy,
  });
}

const FILESYSTEMS: ReadonlyMap<number, string> = new Map([
  [0xef53, "extfs"],
  [0x58465342, "xfs"],
  [0x9123683e, "btrfs"],
  [0x01021994, "tmpfs"],
  [0x794c7630, "overlayfs"],
  [0x2fc12fc1, "zfs"],
  [0xf2f52010, "f2fs"],
  [0x6969, "nfs"],
  [0x65735546, "fuse"],
]);

/** The type of the file system of a directory, in the words of `docker info`. */
export function filesystemType(directory: string): string {
  const { type } = statfsSync(directory);
  return FILESYSTEMS.get(type) ?? `0x${type.toString(16)}`;
}
