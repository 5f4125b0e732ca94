import { errorMessage, InvalidArgument } from "@boxship/base";
import { load } from "js-yaml";

/**
 * Specifications of the Container Device Interface (1.1 and before): files in which a vendor says what a container needs
 * for a device of theirs. Only what Linux runtimes can be told is read; the rest of a file is an error, not passed over.
 */
export interface CdiSpec {
  /** `vendor.com/class`. */
  readonly kind: string;
  readonly devices: ReadonlyMap<string, ContainerEdits>;
  /** What each of the devices needs. */
  readonly common: ContainerEdits;
}

export interface ContainerEdits {
  readonly env: readonly string[];
  readonly deviceNodes: readonly CdiDeviceNode[];
  readonly mounts: readonly CdiMount[];
  readonly hooks: readonly CdiHook[];
  readonly additionalGids: readonly number[];
}

export interface CdiDeviceNode {
  readonly path: string;
  readonly hostPath?: string;
  readonly type?: string;
  readonly major?: number;
  readonly minor?: number;
  readonly fileMode?: number;
  readonly permissions?: string;
  readonly uid?: number;
  readonly gid?: number;
}

export interface CdiMount {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly type?: string;
  readonly options?: readonly string[];
}

export const HOOKS = [
  "prestart",
  "createRuntime",
  "createContainer",
  "startContainer",
  "poststart",
  "poststop",
] as const;

export type HookName = (typeof HOOKS)[number];

export interface CdiHook {
  readonly hookName: HookName;
  readonly path: string;
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  /** Seconds. */
  readonly timeout?: number;
}

export const NO_EDITS: ContainerEdits = { env: [], deviceNodes: [], mounts: [], hooks: [], additionalGids: [] };

const VERSIONS = new Set(["0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0", "1.1.0"]);
const VENDOR = /^[A-Za-z](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?$/;
const CLASS = /^[A-Za-z](?:[A-Za-z0-9_-]*[A-Za-z0-9])?$/;
const DEVICE = /^[A-Za-z0-9](?:[A-Za-z0-9_.:-]*[A-Za-z0-9])?$/;

/** Takes `vendor.com/class=name` apart. @returns undefined for what is no qualified name */
export function parseQualifiedDevice(name: string): { readonly kind: string; readonly device: string } | undefined {
  const [kind = "", device = "", ...rest] = name.split("=");
  if (rest.length > 0 || !isKind(kind) || !DEVICE.test(device)) return undefined;
  return { kind, device };
}

function isKind(kind: string): boolean {
  const [vendor = "", name = "", ...rest] = kind.split("/");
  return rest.length === 0 && VENDOR.test(vendor) && CLASS.test(name);
}

/** @param file its name decides between JSON and YAML. @throws InvalidArgument naming the field */
export function parseCdiSpec(source: string, file: string): CdiSpec {
  let value: unknown;
  try {
    value = file.endsWith(".json") ? JSON.parse(source) : load(source);
  } catch (error) {
    throw new InvalidArgument(`${file}: ${errorMessage(error)}`, { cause: error });
  }
  try {
    return readSpec(record(value, "the file"));
  } catch (error) {
    throw new InvalidArgument(`${file}: ${errorMessage(error)}`, { cause: error });
  }
}

function readSpec(spec: Fields): CdiSpec {
  only(spec, "the file", ["cdiVersion", "kind", "annotations", "devices", "containerEdits"]);
  const version = text(spec["cdiVersion"], "cdiVersion");
  if (!VERSIONS.has(version)) throw new InvalidArgument(`cdiVersion ${version} is not known`);
  const kind = text(spec["kind"], "kind");
  if (!isKind(kind)) throw new InvalidArgument(`kind ${JSON.stringify(kind)} is not vendor/class`);
  const devices = new Map<string, ContainerEdits>();
  for (const [index, entry] of array(spec["devices"], "devices").entries()) {
    const at = `devices[${index}]`;
    const device = record(entry, at);
    only(device, at, ["name", "annotations", "containerEdits"]);
    const name = text(device["name"], `${at}.name`);
    if (!DEVICE.test(name)) throw new InvalidArgument(`${at}.name ${JSON.stringify(name)} is no device name`);
    if (devices.has(name)) throw new InvalidArgument(`${at}.name ${JSON.stringify(name)} is there twice`);
    devices.set(name, readEdits(device["containerEdits"], `${at}.containerEdits`));
  }
  if (devices.size === 0) throw new InvalidArgument("devices is empty");
  return { kind, devices, common: readEdits(spec["containerEdits"], "containerEdits") };
}

function readEdits(value: unknown, at: string): ContainerEdits {
  if (value === undefined || value === null) return NO_EDITS;
  const edits = record(value, at);
  only(edits, at, ["env", "deviceNodes", "mounts", "hooks", "additionalGids"]);
  const each = <T>(name: string, read: (entry: unknown, place: string) => T): readonly T[] =>
    array(edits[name], `${at}.${name}`).map((entry, index) => read(entry, `${at}.${name}[${index}]`));
  return {
    env: each("env", environmentEntry),
    deviceNodes: each("deviceNodes", deviceNode),
    mounts: each("mounts", mount),
    hooks: each("hooks", hook),
    additionalGids: each("additionalGids", number),
  };
}

function environmentEntry(value: unknown, at: string): string {
  const entry = text(value, at);
  if (entry.indexOf("=") < 1) throw new InvalidArgument(`${at} ${JSON.stringify(entry)} is not NAME=value`);
  return entry;
}

function deviceNode(value: unknown, at: string): CdiDeviceNode {
  const node = record(value, at);
  only(node, at, ["path", "hostPath", "type", "major", "minor", "fileMode", "permissions", "uid", "gid"]);
  const type = optional(node["type"], `${at}.type`, text);
  if (type !== undefined && type !== "" && !/^[bcup]$/.test(type)) {
    throw new InvalidArgument(`${at}.type ${JSON.stringify(type)} is none of b, c, u, p`);
  }
  const permissions = optional(node["permissions"], `${at}.permissions`, text);
  if (permissions !== undefined && !/^[rwm]{0,3}$/.test(permissions)) {
    throw new InvalidArgument(`${at}.permissions ${JSON.stringify(permissions)} is not made of r, w and m`);
  }
  return {
    path: path(node["path"], `${at}.path`),
    ...given("hostPath", optional(node["hostPath"], `${at}.hostPath`, path)),
    ...given("type", type === "" ? undefined : type),
    ...given("permissions", permissions === "" ? undefined : permissions),
    ...given("major", optional(node["major"], `${at}.major`, number)),
    ...given("minor", optional(node["minor"], `${at}.minor`, number)),
    ...given("fileMode", optional(node["fileMode"], `${at}.fileMode`, number)),
    ...given("uid", optional(node["uid"], `${at}.uid`, number)),
    ...given("gid", optional(node["gid"], `${at}.gid`, number)),
  };
}

function mount(value: unknown, at: string): CdiMount {
  const entry = record(value, at);
  only(entry, at, ["hostPath", "containerPath", "type", "options"]);
  return {
    hostPath: text(entry["hostPath"], `${at}.hostPath`),
    containerPath: path(entry["containerPath"], `${at}.containerPath`),
    ...given("type", optional(entry["type"], `${at}.type`, text)),
    ...given("options", optional(entry["options"], `${at}.options`, texts)),
  };
}

function hook(value: unknown, at: string): CdiHook {
  const entry = record(value, at);
  only(entry, at, ["hookName", "path", "args", "env", "timeout"]);
  const name = text(entry["hookName"], `${at}.hookName`);
  const hookName = HOOKS.find((known) => known === name);
  if (hookName === undefined) throw new InvalidArgument(`${at}.hookName ${JSON.stringify(name)} is no hook`);
  return {
    hookName,
    path: path(entry["path"], `${at}.path`),
    ...given("args", optional(entry["args"], `${at}.args`, texts)),
    ...given(
      "env",
      optional(entry["env"], `${at}.env`, (list, place) => texts(list, place).map(environment)),
    ),
    ...given("timeout", optional(entry["timeout"], `${at}.timeout`, number)),
  };
  function environment(item: string): string {
    return environmentEntry(item, `${at}.env`);
  }
}

type Fields = Readonly<Record<string, unknown>>;

function given<Key extends string, Value>(key: Key, value: Value | undefined): { readonly [K in Key]?: Value } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [K in Key]?: Value });
}

function optional<T>(value: unknown, at: string, read: (value: unknown, at: string) => T): T | undefined {
  return value === undefined || value === null ? undefined : read(value, at);
}

function only(value: Fields, at: string, known: readonly string[]): void {
  const unknown = Object.keys(value).find((key) => !known.includes(key));
  if (unknown !== undefined) throw new InvalidArgument(`${at} has a field ${unknown}, which is not supported`);
}

function record(value: unknown, at: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new InvalidArgument(`${at} is no map`);
  return value as Fields;
}

function array(value: unknown, at: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new InvalidArgument(`${at} is no list`);
  return value;
}

function text(value: unknown, at: string): string {
  if (typeof value !== "string" || value.includes("\0")) throw new InvalidArgument(`${at} is no text`);
  return value;
}

function texts(value: unknown, at: string): readonly string[] {
  return array(value, at).map((entry, index) => text(entry, `${at}[${index}]`));
}

function path(value: unknown, at: string): string {
  const name = text(value, at);
  if (!name.startsWith("/")) throw new InvalidArgument(`${at} ${JSON.stringify(name)} is no absolute path`);
  return name;
}

function number(value: unknown, at: string): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0) {
    throw new InvalidArgument(`${at} is no whole number`);
  }
  return value;
}
