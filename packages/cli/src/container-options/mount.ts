import { isAbsolute, resolve } from "node:path";
import { FlagError } from "../failure.ts";
import { parseBool } from "../flags/flag.ts";
import { parseBytes } from "../format/parse-size.ts";
import { cut, splitCsv } from "./csv.ts";

/** A mount as the engine takes it. */
export interface MountRequest {
  Type: string;
  Source?: string;
  Target?: string;
  ReadOnly?: boolean;
  Consistency?: string;
  BindOptions?: {
    Propagation?: string;
    NonRecursive?: boolean;
    ReadOnlyNonRecursive?: boolean;
    ReadOnlyForceRecursive?: boolean;
  };
  VolumeOptions?: {
    NoCopy?: boolean;
    Labels: Record<string, string>;
    Subpath?: string;
    DriverConfig: { Name?: string; Options?: Record<string, string> };
  };
  ImageOptions?: { Subpath?: string };
  TmpfsOptions?: { SizeBytes?: number; Mode?: number };
}

function bind(mount: MountRequest): NonNullable<MountRequest["BindOptions"]> {
  return (mount.BindOptions ??= {});
}

function volume(mount: MountRequest): NonNullable<MountRequest["VolumeOptions"]> {
  return (mount.VolumeOptions ??= { Labels: {}, DriverConfig: {} });
}

function flag(key: string, value: string | undefined): boolean {
  if (value === undefined) return true;
  try {
    return parseBool(value);
  } catch (error) {
    throw new FlagError(`invalid value for ${key}: ${value}`, { cause: error });
  }
}

function putPair(target: Record<string, string>, text: string): void {
  const [key, value = ""] = cut(text);
  if (key !== "") target[key] = value;
}

function setRecursion(mount: MountRequest, key: string, value: string): void {
  switch (value) {
    case "enabled":
      return;
    case "disabled":
      bind(mount).NonRecursive = true;
      return;
    case "writable":
      bind(mount).ReadOnlyNonRecursive = true;
      return;
    case "readonly":
      bind(mount).ReadOnlyForceRecursive = true;
      return;
    default:
      throw new FlagError(
        `invalid value for ${key}: ${value} (must be "enabled", "disabled", "writable", or "readonly")`,
      );
  }
}

/** Relative sources begin with a dot; they are relative to this process. */
export function absoluteSource(source: string, directory: string): string {
  return !isAbsolute(source) && source.startsWith(".") ? resolve(directory, source) : source;
}

type Setter = (mount: MountRequest, value: string, key: string, directory: string) => void;

const setSource: Setter = (mount, value, _key, directory) => void (mount.Source = absoluteSource(value, directory));
const setTarget: Setter = (mount, value) => void (mount.Target = value);
const setReadOnly: Setter = (mount, value, key) => void (mount.ReadOnly = flag(key, value));

const SETTERS: Readonly<Record<string, Setter>> = {
  type: (mount, value) => void (mount.Type = value.toLowerCase()),
  source: setSource,
  src: setSource,
  target: setTarget,
  dst: setTarget,
  destination: setTarget,
  readonly: setReadOnly,
  ro: setReadOnly,
  consistency: (mount, value) => void (mount.Consistency = value.toLowerCase()),
  "bind-propagation": (mount, value) => void (bind(mount).Propagation = value.toLowerCase()),
  "bind-nonrecursive": (mount, value, key) => void (bind(mount).NonRecursive = flag(key, value)),
  "bind-recursive": (mount, value, key) => setRecursion(mount, key, value),
  "volume-subpath": (mount, value) => void (volume(mount).Subpath = value),
  "volume-nocopy": (mount, value, key) => void (volume(mount).NoCopy = flag(key, value)),
  "volume-label": (mount, value) => putPair(volume(mount).Labels, value),
  "volume-driver": (mount, value) => void (volume(mount).DriverConfig.Name = value),
  "volume-opt": (mount, value) => putPair((volume(mount).DriverConfig.Options ??= {}), value),
  "image-subpath": (mount, value) => void ((mount.ImageOptions ??= {}).Subpath = value),
  "tmpfs-size"(mount, value, key) {
    try {
      (mount.TmpfsOptions ??= {}).SizeBytes = parseBytes(value);
    } catch (error) {
      throw new FlagError(`invalid value for ${key}: ${value}`, { cause: error });
    }
  },
  "tmpfs-mode"(mount, value, key) {
    if (!/^[0-7]{1,11}$/.test(value)) throw new FlagError(`invalid value for ${key}: ${value}`);
    (mount.TmpfsOptions ??= {}).Mode = Number.parseInt(value, 8);
  },
};

const WITHOUT_VALUE: ReadonlySet<string> = new Set(["readonly", "ro", "volume-nocopy", "bind-nonrecursive"]);

/** `--mount type=…,source=…,target=…`. @throws FlagError naming the field */
export function parseMount(text: string, directory: string): MountRequest {
  const mount: MountRequest = { Type: "volume" };
  for (const field of splitCsv(text)) {
    const [rawKey, value] = cut(field);
    const key = rawKey.toLowerCase();
    if (value === undefined && !WITHOUT_VALUE.has(key)) {
      throw new FlagError(`invalid field '${field}' must be a key=value pair`);
    }
    const set = Object.hasOwn(SETTERS, key) ? SETTERS[key] : undefined;
    if (set === undefined) throw new FlagError(`unexpected key '${key}' in '${field}'`);
    set(mount, value ?? "true", key, directory);
  }
  checkMount(mount);
  return mount;
}

function checkMount(mount: MountRequest): void {
  const { Type } = mount;
  if (Type === "") throw new FlagError("type is required");
  if (!mount.Target) throw new FlagError("target is required");
  const options = [
    ["volume", mount.VolumeOptions],
    ["image", mount.ImageOptions],
    ["bind", mount.BindOptions],
    ["tmpfs", mount.TmpfsOptions],
  ] as const;
  for (const [kind, given] of options) {
    if (given !== undefined && Type !== kind) {
      throw new FlagError(`cannot mix '${kind}-*' options with mount type '${Type}'`);
    }
  }
  checkBind(mount);
}

function checkBind({ BindOptions, ReadOnly }: MountRequest): void {
  if (BindOptions?.ReadOnlyNonRecursive && !ReadOnly) {
    throw new FlagError("option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction");
  }
  if (!BindOptions?.ReadOnlyForceRecursive) return;
  if (!ReadOnly) {
    throw new FlagError("option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction");
  }
  if (BindOptions.Propagation !== "rprivate") {
    throw new FlagError(
      "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction",
    );
  }
}
