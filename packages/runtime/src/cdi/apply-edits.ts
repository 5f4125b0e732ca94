import { lstatSync } from "node:fs";
import { errorMessage, InvalidArgument, systemCode } from "@boxship/base";
import { deviceNumbers } from "../spec/devices.ts";
import type { HostFacts } from "../spec/host.ts";
import type { OciDevice, OciDeviceRule, OciHook, OciMount, OciSpec } from "../spec/oci.ts";
import type { CdiDeviceNode, CdiMount, ContainerEdits } from "./cdi-spec.ts";

/**
 * Adds to a container what its devices need, as the Container Device Interface says it: what is there already under the
 * same name, place or path is replaced. Looks at device nodes on the host.
 *
 * @throws InvalidArgument a device node that is not there
 */
export function applyEdits(spec: OciSpec, edits: ContainerEdits, host: Pick<HostFacts, "userNamespace">): OciSpec {
  const nodes = edits.deviceNodes.map((node) => resolveNode(node, spec));
  const made = host.userNamespace ? [] : nodes.map(({ device }) => device);
  const mounts = [...edits.mounts.map(ociMount), ...(host.userNamespace ? nodes.map(nodeMount) : [])];
  const devices = replaceBy(spec.linux.devices ?? [], made, ({ path }) => path);
  const resources = spec.linux.resources ?? {};
  const rules = [...(resources.devices ?? []), ...nodes.flatMap(({ rule }) => rule ?? [])];
  const { user, env } = spec.process;
  const gids = [...new Set([...(user.additionalGids ?? []), ...edits.additionalGids.filter((gid) => gid !== 0)])];
  return {
    ...spec,
    process: {
      ...spec.process,
      user: { ...user, ...(gids.length === 0 ? {} : { additionalGids: gids }) },
      env: replaceBy(env, edits.env, (entry) => entry.split("=", 1)[0] ?? ""),
    },
    // Parents first, so that none hides another.
    mounts: replaceBy(
      spec.mounts,
      mounts.toSorted((a, b) => depth(a) - depth(b)),
      ({ destination }) => destination,
    ),
    ...hooksOf(spec, edits),
    linux: { ...spec.linux, ...(devices.length === 0 ? {} : { devices }), resources: { ...resources, devices: rules } },
  };
}

/** The list with additions in place of entries of the same key, or at its end. The last of several additions counts. */
function replaceBy<T>(list: readonly T[], additions: readonly T[], keyOf: (item: T) => string): readonly T[] {
  const added = new Map(additions.map((item) => [keyOf(item), item]));
  return [...list.filter((item) => !added.has(keyOf(item))), ...added.values()];
}

function depth({ destination }: OciMount): number {
  return destination.split("/").length;
}

function ociMount({ hostPath, containerPath, type, options = [] }: CdiMount): OciMount {
  const plain = type === undefined || type === "";
  const bound = options.includes("bind") || options.includes("rbind");
  return {
    destination: containerPath,
    type: plain ? "bind" : type,
    source: hostPath,
    options: plain && !bound ? ["rbind", ...options] : options,
  };
}

interface ResolvedNode {
  readonly source: string;
  readonly device: OciDevice;
  readonly rule: OciDeviceRule | undefined;
}

/** What the specification leaves out is as on the host; the owner is the container's user. */
function resolveNode(node: CdiDeviceNode, { process: { user } }: OciSpec): ResolvedNode {
  const source = node.hostPath ?? node.path;
  const { type, major, minor, fileMode } =
    node.type === "p" ? { ...node, type: "p" as const } : numbersOf(node, source);
  const device: OciDevice = {
    path: node.path,
    type,
    major: major ?? 0,
    minor: minor ?? 0,
    ...(fileMode === undefined ? {} : { fileMode }),
    ...ownerOf("uid", node.uid, user.uid),
    ...ownerOf("gid", node.gid, user.gid),
  };
  if (type !== "b" && type !== "c") return { source, device, rule: undefined };
  const rule = { allow: true, type, major: device.major, minor: device.minor, access: node.permissions ?? "rwm" };
  return { source, device, rule };
}

function ownerOf(key: "uid" | "gid", own: number | undefined, users: number): { readonly uid?: number } {
  const id = own ?? (users > 0 ? users : undefined);
  return id === undefined ? {} : { [key]: id };
}

function numbersOf(
  node: CdiDeviceNode,
  source: string,
): { readonly type: "b" | "c"; readonly major: number; readonly minor: number; readonly fileMode?: number } {
  const { type, major, minor, fileMode } = node;
  if ((type === "b" || type === "c" || type === "u") && major !== undefined && minor !== undefined) {
    return { type: type === "b" ? "b" : "c", major, minor, ...(fileMode === undefined ? {} : { fileMode }) };
  }
  try {
    const stats = lstatSync(source);
    const found = stats.isBlockDevice() ? "b" : stats.isCharacterDevice() ? "c" : undefined;
    if (found === undefined || (type !== undefined && type.replace("u", "c") !== found)) {
      throw new InvalidArgument(`it is no device node${type === undefined ? "" : ` of type ${type}`}`);
    }
    return { type: found, ...deviceNumbers(stats.rdev), fileMode: fileMode ?? stats.mode & 0o7777 };
  } catch (error) {
    const reason = systemCode(error) === "ENOENT" ? "no such file or directory" : errorMessage(error);
    throw new InvalidArgument(`CDI device injection failed: the device node ${source}: ${reason}`, {
      cause: error,
      subject: { kind: "device", name: source },
    });
  }
}

/** A user namespace makes no device nodes. */
function nodeMount({ source, device }: ResolvedNode): OciMount {
  return { destination: device.path, type: "bind", source, options: ["bind", "rprivate", "nosuid", "noexec"] };
}

function hooksOf(spec: OciSpec, { hooks }: ContainerEdits): Pick<OciSpec, "hooks"> {
  if (hooks.length === 0) return {};
  const result: Record<string, readonly OciHook[]> = { ...spec.hooks };
  for (const { hookName, ...hook } of hooks) result[hookName] = [...(result[hookName] ?? []), hook];
  return { hooks: result };
}
