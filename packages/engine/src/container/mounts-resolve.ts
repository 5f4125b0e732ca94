import { posix } from "node:path";
import { InvalidArgument, Unsupported } from "@boxship/base";
import { cleanDestination, parseBind } from "./bind-parse.ts";
import type { HostConfig, MountSpec } from "./config.ts";
import type { ContainerRecord, MountPoint } from "./record.ts";

/** What resolving mounts needs from the engine. */
export interface MountResolver {
  /** Makes or finds a volume; without a name a new anonymous one. */
  ensureVolume(request: {
    readonly name?: string;
    readonly driver?: string;
    readonly options?: Readonly<Record<string, string>>;
    readonly labels?: Readonly<Record<string, string>>;
  }): Promise<{ readonly name: string; readonly mountpoint: string; readonly driver: string }>;
  /** @throws NotFound */
  container(ref: string): ContainerRecord;
  /** Config digest of an image to mount. @throws NotFound */
  imageId(ref: string): Promise<string>;
}

export interface MountRequest {
  readonly hostConfig: HostConfig;
  /** Paths that the image or `-v /path` wants as anonymous volumes. */
  readonly anonymousPaths: readonly string[];
}

/**
 * Turns everything that asks for a mount into mount points, making volumes on the way: `--volumes-from`, then `-v`, then
 * `--mount`, then the image's volumes where nothing else is mounted. Sorted so that parents come before children.
 *
 * @throws InvalidArgument on two mounts at one place
 */
export async function resolveMounts(request: MountRequest, resolver: MountResolver): Promise<readonly MountPoint[]> {
  const { hostConfig } = request;
  const points = new Map<string, MountPoint>();
  const add = (point: MountPoint) => {
    if (points.has(point.destination) && points.get(point.destination)?.spec !== "volumes-from") {
      throw new InvalidArgument(`Duplicate mount point: ${point.destination}`, {
        subject: { kind: "mount", name: point.destination },
      });
    }
    points.set(point.destination, point);
  };
  for (const spec of hostConfig.volumesFrom ?? []) {
    for (const point of fromContainer(spec, resolver)) points.set(point.destination, point);
  }
  for (const bind of hostConfig.binds ?? []) add(await fromBind(bind, hostConfig.volumeDriver, resolver));
  for (const mount of hostConfig.mounts ?? []) add(await fromMount(mount, resolver));
  const tmpfs = new Set(Object.keys(hostConfig.tmpfs ?? {}).map((path) => cleanDestination(path, path)));
  for (const path of tmpfs) {
    if (points.has(path)) throw new InvalidArgument(`Duplicate mount point: ${path}`);
  }
  for (const path of request.anonymousPaths) {
    const destination = cleanDestination(path, path);
    if (points.has(destination) || tmpfs.has(destination)) continue;
    add(await anonymousVolume(destination, hostConfig.volumeDriver, resolver));
  }
  return [...points.values()].sort((a, b) => depth(a.destination) - depth(b.destination));
}

function depth(path: string): number {
  return path.split("/").length;
}

async function anonymousVolume(
  destination: string,
  driver: string | undefined,
  resolver: MountResolver,
): Promise<MountPoint> {
  const volume = await resolver.ensureVolume(driver === undefined || driver === "" ? {} : { driver });
  return {
    type: "volume",
    name: volume.name,
    source: volume.mountpoint,
    destination,
    driver: volume.driver,
    mode: "",
    readWrite: true,
    propagation: "",
    copyUp: true,
    anonymous: true,
    spec: "image",
  };
}

function fromContainer(spec: string, resolver: MountResolver): readonly MountPoint[] {
  const [ref = "", mode = ""] = spec.split(":");
  if (mode !== "" && mode !== "ro" && mode !== "rw" && mode !== "z" && mode !== "Z") {
    throw new InvalidArgument(`invalid mode: ${mode}`, { subject: { kind: "volumes-from", name: spec } });
  }
  return resolver.container(ref).mounts.map((point) => ({
    ...point,
    anonymous: false,
    readWrite: point.readWrite && mode !== "ro",
    mode: mode === "" ? point.mode : mode,
    copyUp: false,
    spec: "volumes-from",
  }));
}

async function fromBind(spec: string, driver: string | undefined, resolver: MountResolver): Promise<MountPoint> {
  const bind = parseBind(spec);
  if (bind.source === undefined) return anonymousVolume(bind.destination, driver, resolver);
  if (bind.source.startsWith("/")) {
    return {
      type: "bind",
      source: bind.source,
      destination: bind.destination,
      mode: bind.mode,
      readWrite: bind.readWrite,
      propagation: bind.propagation,
      createSource: true,
      spec: "bind",
    };
  }
  const volume = await resolver.ensureVolume({
    name: bind.source,
    ...(driver === undefined || driver === "" ? {} : { driver }),
  });
  return {
    type: "volume",
    name: volume.name,
    source: volume.mountpoint,
    destination: bind.destination,
    driver: volume.driver,
    // What Docker shows for a volume of its own driver.
    mode: bind.mode || "z",
    readWrite: bind.readWrite,
    propagation: "",
    copyUp: !bind.noCopy,
    spec: "bind",
  };
}

function badMount(mount: MountSpec, why: string): InvalidArgument {
  return new InvalidArgument(`invalid mount config for type "${mount.type}": ${why}`, {
    subject: { kind: "mount", name: mount.target },
  });
}

/** Options of another mount type are a mistake of the user's, not noise. */
function refuseForeignOptions(mount: MountSpec): void {
  const own: Partial<Record<MountSpec["type"], string>> = {
    bind: "bindOptions",
    volume: "volumeOptions",
    tmpfs: "tmpfsOptions",
    image: "imageOptions",
  };
  for (const field of ["bindOptions", "volumeOptions", "tmpfsOptions", "imageOptions"] as const) {
    if (mount[field] !== undefined && own[mount.type] !== field) {
      const docker = field[0]?.toUpperCase() + field.slice(1);
      throw badMount(mount, `field ${docker} must not be specified`);
    }
  }
}

async function fromMount(mount: MountSpec, resolver: MountResolver): Promise<MountPoint> {
  refuseForeignOptions(mount);
  if (mount.target === "") throw badMount(mount, "field Target must not be empty");
  const destination = cleanDestination(mount.target, mount.target);
  const base = { destination, mode: "", readWrite: mount.readOnly !== true, spec: "mount" as const };
  switch (mount.type) {
    case "bind":
      return { ...base, ...bindMount(mount) };
    case "volume":
      if (!mount.source && mount.readOnly === true) {
        throw badMount(mount, "must not set ReadOnly mode when using anonymous volumes");
      }
      return { ...base, ...(await volumeMount(mount, resolver)) };
    case "tmpfs":
      if ((mount.source ?? "") !== "") throw badMount(mount, "field Source must not be specified");
      return { ...base, type: "tmpfs", source: "", propagation: "", options: tmpfsOptions(mount) };
    case "image": {
      if ((mount.source ?? "") === "") throw badMount(mount, "field Source must not be empty");
      const name = await resolver.imageId(mount.source ?? "");
      const subpath = mount.imageOptions?.subpath;
      const point = { type: "image" as const, name, source: mount.source ?? "", propagation: "", readWrite: false };
      return { ...base, ...point, ...(subpath === undefined ? {} : { subpath: relative(mount, subpath) }) };
    }
    case "npipe":
    case "cluster":
      throw new Unsupported(`mount type ${mount.type} is not supported on this platform`, {
        subject: { kind: "mount", name: mount.target },
      });
  }
}

function bindMount(
  mount: MountSpec,
): Pick<
  MountPoint,
  | "type"
  | "source"
  | "propagation"
  | "nonRecursive"
  | "createSource"
  | "readOnlyNonRecursive"
  | "readOnlyForceRecursive"
  | "idMapped"
> {
  const source = mount.source ?? "";
  if (!source.startsWith("/")) throw badMount(mount, `invalid mount path: '${source}' mount path must be absolute`);
  const options = mount.bindOptions ?? {};
  if (options.readOnlyForceRecursive === true && mount.readOnly !== true) {
    throw badMount(mount, "ReadOnlyForceRecursive requires ReadOnly");
  }
  if (options.readOnlyForceRecursive === true && options.readOnlyNonRecursive === true) {
    throw badMount(mount, "ReadOnlyForceRecursive conflicts with ReadOnlyNonRecursive");
  }
  if (options.readOnlyNonRecursive === true && mount.readOnly !== true) {
    throw badMount(mount, "ReadOnlyNonRecursive requires ReadOnly");
  }
  if (options.readOnlyForceRecursive === true && options.nonRecursive === true) {
    throw badMount(mount, "ReadOnlyForceRecursive conflicts with NonRecursive");
  }
  return {
    type: "bind",
    source: posix.normalize(source),
    propagation: options.propagation ?? "rprivate",
    ...(options.nonRecursive === true ? { nonRecursive: true } : {}),
    ...(options.createMountpoint === true ? { createSource: true } : {}),
    ...(options.readOnlyNonRecursive === true ? { readOnlyNonRecursive: true } : {}),
    ...(options.readOnlyForceRecursive === true ? { readOnlyForceRecursive: true } : {}),
    ...(options.idMapped === true ? { idMapped: true } : {}),
  };
}

async function volumeMount(
  mount: MountSpec,
  resolver: MountResolver,
): Promise<
  Pick<MountPoint, "type" | "source" | "name" | "driver" | "propagation" | "copyUp" | "anonymous" | "subpath">
> {
  const options = mount.volumeOptions ?? {};
  const name = mount.source ?? "";
  if (options.subpath !== undefined && name === "") throw badMount(mount, "subpath needs a named volume");
  const volume = await resolver.ensureVolume({
    ...(name === "" ? {} : { name }),
    ...(options.driver === undefined || options.driver === "" ? {} : { driver: options.driver }),
    ...(options.driverOptions === undefined ? {} : { options: options.driverOptions }),
    ...(options.labels === undefined ? {} : { labels: options.labels }),
  });
  return {
    type: "volume",
    name: volume.name,
    source: volume.mountpoint,
    driver: volume.driver,
    propagation: "",
    copyUp: options.noCopy !== true && options.subpath === undefined,
    ...(name === "" ? { anonymous: true } : {}),
    ...(options.subpath === undefined ? {} : { subpath: relative(mount, options.subpath) }),
  };
}

function relative(mount: MountSpec, subpath: string): string {
  const clean = posix.normalize(subpath);
  if (clean.startsWith("/") || clean === ".." || clean.startsWith("../")) {
    throw badMount(mount, `subpath '${subpath}' must be relative and stay inside`);
  }
  return clean;
}

function tmpfsOptions(mount: MountSpec): readonly string[] {
  const { sizeBytes, mode, options = [] } = mount.tmpfsOptions ?? {};
  const list = ["nosuid", "nodev", "noexec"];
  if (mount.readOnly === true) list.push("ro");
  if (mode !== undefined) list.push(`mode=${mode.toString(8)}`);
  if (sizeBytes !== undefined && sizeBytes > 0) list.push(`size=${sizeBytes}`);
  for (const [key = "", value] of options) {
    if (key === "exec") list.splice(list.indexOf("noexec"), 1, "exec");
    else list.push(value === undefined ? key : `${key}=${value}`);
  }
  return list;
}
