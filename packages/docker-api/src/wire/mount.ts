import { InvalidArgument, Unsupported } from "@boxship/base";
import type { MountSpec, MountType } from "@boxship/engine";
import { boolean, type Codec, field, integer, list, map, object, type RefusedField, string, strings } from "./codec.ts";

const TYPES: readonly MountType[] = ["bind", "volume", "tmpfs", "image"];

const mountType: Codec<MountType> = {
  type: "mount.Type",
  decode(value, at, context) {
    const name = string.decode(value, at, context);
    if (name === "npipe" || name === "cluster") {
      throw new Unsupported(
        `mounts of type ${JSON.stringify(name)} are not supported: use bind, volume, tmpfs or image`,
      );
    }
    const known = TYPES.find((type) => type === name);
    if (known === undefined) {
      throw new InvalidArgument(`invalid mount config for type ${JSON.stringify(name)}: mount type unknown`);
    }
    return known;
  },
  encode: (value) => value,
};

/** Mapped owners are for pods. */
type BindOptions = Omit<NonNullable<MountSpec["bindOptions"]>, "idMapped">;
type VolumeOptions = NonNullable<MountSpec["volumeOptions"]>;
type TmpfsOptions = NonNullable<MountSpec["tmpfsOptions"]>;
type ImageOptions = NonNullable<MountSpec["imageOptions"]>;

const bindOptions = object<BindOptions>("BindOptions", {
  propagation: field("Propagation", string),
  nonRecursive: field("NonRecursive", boolean),
  createMountpoint: field("CreateMountpoint", boolean, { since: 42 }),
  readOnlyNonRecursive: field("ReadOnlyNonRecursive", boolean, { since: 44 }),
  readOnlyForceRecursive: field("ReadOnlyForceRecursive", boolean, { since: 44 }),
});

interface VolumeWire extends Omit<VolumeOptions, "driver" | "driverOptions"> {
  readonly driverConfig?: { readonly name?: string; readonly options?: Readonly<Record<string, string>> };
}

const volumeWire = object<VolumeWire>("VolumeOptions", {
  noCopy: field("NoCopy", boolean),
  labels: field("Labels", map(string)),
  driverConfig: field(
    "DriverConfig",
    object<NonNullable<VolumeWire["driverConfig"]>>("Driver", {
      name: field("Name", string),
      options: field("Options", map(string)),
    }),
  ),
  subpath: field("Subpath", string, { since: 45 }),
});

const volumeOptions: Codec<VolumeOptions> = {
  type: "VolumeOptions",
  decode(value, at, context) {
    const { driverConfig, ...rest } = volumeWire.decode(value, at, context);
    return {
      ...rest,
      ...(driverConfig?.name === undefined ? {} : { driver: driverConfig.name }),
      ...(driverConfig?.options === undefined ? {} : { driverOptions: driverConfig.options }),
    };
  },
  encode({ driver, driverOptions, ...rest }, version) {
    const driverConfig = {
      ...(driver === undefined ? {} : { name: driver }),
      ...(driverOptions === undefined ? {} : { options: driverOptions }),
    };
    const hasDriver = driver !== undefined || driverOptions !== undefined;
    return volumeWire.encode({ ...rest, ...(hasDriver ? { driverConfig } : {}) }, version);
  },
};

const tmpfsOptions = object<TmpfsOptions>("TmpfsOptions", {
  sizeBytes: field("SizeBytes", integer()),
  mode: field("Mode", integer("uint32")),
  options: field("Options", list(strings), { since: 46 }),
});

const imageOptions = object<ImageOptions>("ImageOptions", { subpath: field("Subpath", string) });

const REFUSED: readonly RefusedField[] = [{ wire: "ClusterOptions", reason: "cluster volumes belong to swarm" }];

const fields = object<MountSpec>(
  "Mount",
  {
    type: field("Type", mountType, { absent: "bind" }),
    source: field("Source", string),
    target: field("Target", string, { absent: "" }),
    readOnly: field("ReadOnly", boolean),
    consistency: field("Consistency", string),
    bindOptions: field("BindOptions", bindOptions),
    volumeOptions: field("VolumeOptions", volumeOptions),
    imageOptions: field("ImageOptions", imageOptions, { since: 48 }),
    tmpfsOptions: field("TmpfsOptions", tmpfsOptions),
  },
  REFUSED,
);

const OWNERS = [
  ["bindOptions", "BindOptions", "bind"],
  ["volumeOptions", "VolumeOptions", "volume"],
  ["imageOptions", "ImageOptions", "image"],
  ["tmpfsOptions", "TmpfsOptions", "tmpfs"],
] as const;

/** One of `HostConfig.Mounts`; options must be those of its type. */
export const mount: Codec<MountSpec> = {
  ...fields,
  decode(value, at, context) {
    const spec = fields.decode(value, at, context);
    for (const [key, wire, type] of OWNERS) {
      if (spec[key] !== undefined && spec.type !== type) {
        throw new InvalidArgument(
          `invalid mount config for type ${JSON.stringify(spec.type)}: field ${wire} must not be specified`,
        );
      }
    }
    if (spec.target === "") {
      throw new InvalidArgument(
        `invalid mount config for type ${JSON.stringify(spec.type)}: field Target must not be empty`,
      );
    }
    return spec;
  },
};
