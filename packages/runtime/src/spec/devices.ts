import { readdirSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { InvalidArgument, systemCode } from "@boxship/base";
import type { OciDevice, OciDeviceRule, OciMount } from "./oci.ts";
import type { DeviceRequest } from "./request.ts";

/** Device numbers as the kernel splits them. */
export function deviceNumbers(rdev: number): { readonly major: number; readonly minor: number } {
  const bits = BigInt(rdev);
  return {
    major: Number(((bits >> 8n) & 0xfffn) | ((bits >> 32n) & 0xfffff000n)),
    minor: Number((bits & 0xffn) | ((bits >> 12n) & 0xffffff00n)),
  };
}

/** Docker's rules for an unprivileged container; runtimes add the nodes that every container has. */
export const DEFAULT_DEVICE_RULES: readonly OciDeviceRule[] = [
  { allow: false, access: "rwm" },
  { allow: true, type: "c", major: 1, minor: 5, access: "rwm" },
  { allow: true, type: "c", major: 1, minor: 3, access: "rwm" },
  { allow: true, type: "c", major: 1, minor: 9, access: "rwm" },
  { allow: true, type: "c", major: 1, minor: 8, access: "rwm" },
  { allow: true, type: "c", major: 5, minor: 0, access: "rwm" },
  { allow: true, type: "c", major: 5, minor: 1, access: "rwm" },
  { allow: false, type: "c", major: 10, minor: 229, access: "rwm" },
];

export interface ResolvedDevices {
  readonly devices: readonly OciDevice[];
  /** What is mounted from the host where nodes cannot be made. */
  readonly mounts: readonly OciMount[];
  readonly rules: readonly OciDeviceRule[];
}

/**
 * Device nodes and the cgroup's rules for them.
 *
 * @param rules further rules in the words of the device cgroup, e.g. `c 10:* rwm`
 * @param userNamespace whether the daemon is root in a user namespace only. @default false
 * @throws InvalidArgument a node that does not exist, bad permissions, a bad rule
 */
export function resolveDevices(
  requested: readonly DeviceRequest[],
  rules: readonly string[],
  privileged: boolean,
  userNamespace = false,
): ResolvedDevices {
  const custom = requested.flatMap(customDevices);
  const nodes = userNamespace ? [] : custom.map(({ node }) => node);
  const mounts = userNamespace ? custom.map(deviceMount) : [];
  const extra = [...custom.map(({ rule }) => rule), ...rules.map(parseDeviceRule)];
  if (!privileged) return { devices: nodes, mounts, rules: [...DEFAULT_DEVICE_RULES, ...extra] };
  const taken = new Set(custom.map(({ node }) => node.path));
  const all = hostDevices("/dev").filter(({ path }) => !taken.has(path));
  return { devices: [...all, ...nodes], mounts, rules: [{ allow: true, access: "rwm" }, ...extra] };
}

/** A user namespace makes no device nodes: the host's own are shown, with the permissions they have. */
function deviceMount({ source, node }: CustomDevice): OciMount {
  return { destination: node.path, type: "bind", source, options: ["bind", "rprivate", "nosuid", "noexec"] };
}

interface CustomDevice {
  /** On the host. */
  readonly source: string;
  readonly node: OciDevice;
  readonly rule: OciDeviceRule;
}

function customDevices(request: DeviceRequest): readonly CustomDevice[] {
  const access = request.permissions === undefined || request.permissions === "" ? "rwm" : request.permissions;
  if (!/^[rwm]{1,3}$/.test(access)) throw new InvalidArgument(`invalid device permissions: ${access}`);
  const target =
    request.containerPath === undefined || request.containerPath === "" ? request.hostPath : request.containerPath;
  const fail = (reason: string, cause?: unknown): InvalidArgument =>
    new InvalidArgument(
      `error gathering device information while adding custom device "${request.hostPath}": ${reason}`,
      { cause },
    );
  const stats = statDevice(request.hostPath, fail);
  const nodes = stats.isDirectory()
    ? hostDevices(request.hostPath).map((node) => ({
        source: node.path,
        node: { ...node, path: target + node.path.slice(request.hostPath.length) },
      }))
    : [{ source: request.hostPath, node: toDevice(target, stats) }];
  return nodes.map(({ source, node }) => {
    if (node === undefined) throw fail("not a device node");
    const type = node.type === "b" ? "b" : "c";
    return { source, node, rule: { allow: true, type, major: node.major, minor: node.minor, access } };
  });
}

function statDevice(path: string, fail: (reason: string, cause: unknown) => InvalidArgument): Stats {
  try {
    return statSync(path);
  } catch (error) {
    throw fail(systemCode(error) === "ENOENT" ? "no such file or directory" : String(systemCode(error)), error);
  }
}

function toDevice(path: string, stats: Stats): OciDevice | undefined {
  if (!stats.isBlockDevice() && !stats.isCharacterDevice()) return undefined;
  const { major, minor } = deviceNumbers(stats.rdev);
  const type = stats.isBlockDevice() ? "b" : "c";
  return { path, type, major, minor, fileMode: stats.mode & 0o7777, uid: stats.uid, gid: stats.gid };
}

/** Not devices of the host but of each mount namespace: the runtime makes them. */
const PER_CONTAINER: ReadonlySet<string> = new Set([
  "pts",
  "shm",
  "fd",
  "mqueue",
  "console",
  "ptmx",
  ".lxc",
  ".lxd-mounts",
  ".udev",
]);

function hostDevices(directory: string): readonly OciDevice[] {
  const devices: OciDevice[] = [];
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (directory === "/dev" && PER_CONTAINER.has(entry.name)) continue;
    const path = join(directory, entry.name);
    if (entry.isDirectory()) {
      devices.push(...hostDevices(path));
      continue;
    }
    if (!entry.isBlockDevice() && !entry.isCharacterDevice()) continue;
    try {
      const device = toDevice(path, statSync(path));
      if (device !== undefined) devices.push(device);
    } catch (error) {
      // Unplugged meanwhile.
      if (systemCode(error) !== "ENOENT") throw error;
    }
  }
  return devices;
}

/** Linux keeps a device in 32 bits: 12 of the major and 20 of the minor number. */
const MOST_MAJOR = 0xfff;
const MOST_MINOR = 0xfffff;

/** Parses a rule of the device cgroup: type, `major:minor` with `*`, permissions. */
export function parseDeviceRule(rule: string): OciDeviceRule {
  const match = /^([acb]) (\d+|\*):(\d+|\*) ([rwm]{1,3})$/.exec(rule);
  if (match === null) throw new InvalidArgument(`invalid device cgroup rule format: '${rule}'`);
  const [, type, major, minor, access] = match;
  if (Number(major) > MOST_MAJOR || Number(minor) > MOST_MINOR) {
    throw new InvalidArgument(`invalid device cgroup rule: '${rule}': no device has such numbers`);
  }
  return {
    allow: true,
    type: type === "c" ? "c" : type === "b" ? "b" : "a",
    ...(major === "*" ? {} : { major: Number(major) }),
    ...(minor === "*" ? {} : { minor: Number(minor) }),
    ...(access === undefined ? {} : { access }),
  };
}
