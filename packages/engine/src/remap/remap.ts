import { createHash } from "node:crypto";
import { closeSync, mkdirSync, openSync, rmSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errorMessage, FailedPrecondition, systemCode, Unsupported, writeFileAtomic } from "@boxship/base";
import {
  bindNamespace,
  createUserNamespace,
  ensureSharedMount,
  type IdMappedMount,
  type IdMaps,
  idOutside,
  isMountPoint,
  mountIdMapped,
  releaseMountsBelow,
  unbindNamespace,
} from "@boxship/kernel";
import type { MountContainerOptions } from "@boxship/storage";
import type { HostConfig } from "../container/config.ts";
import type { EngineContext } from "../context.ts";
import { podUsers } from "../pod/pod-users.ts";

/**
 * The user namespace that containers are in where the configuration asks for one. All share it, so that they can share
 * network and process namespaces: what keeps them apart are their other namespaces, as without it. A pod may have one of
 * its own.
 */
export interface Remap {
  readonly maps: IdMaps;
  /** Root of the containers, as the machine sees it. */
  readonly root: { readonly uid: number; readonly gid: number };
  /** The namespace's file. */
  readonly path: string;
  /** The same ids, and one for root of this process: what mounts are mapped by. */
  readonly filesPath: string;
  /** Where sources of mounts are seen with the owners that containers know, by container. */
  readonly sources: string;
}

/**
 * An owner on the disk that nobody has. What this process makes in a mapped mount belongs to it until it is given to
 * somebody: without it nothing could be made there.
 */
const NOBODYS = 4_000_000_000;

/**
 * Makes the namespace, or finds it: it outlives the process, as containers in it do.
 *
 * @param root directory of the state, through which the containers' root must come
 * @throws FailedPrecondition, Unsupported
 */
export async function openRemap(runDir: string, root: string, maps: IdMaps): Promise<Remap> {
  const directory = join(runDir, "userns");
  const remap = remapAt(directory, maps);
  const { path, filesPath } = remap;
  mkdirSync(remap.sources, { recursive: true, mode: 0o711 });
  // Launchers of containers are in mount namespaces that see only what is mounted in shared places.
  ensureSharedMount(directory);
  requireWay(root, remap.root);
  const record = join(directory, "maps.json");
  const text = JSON.stringify(maps);
  const same = (await readFile(record, "utf8").catch(() => "")) === text;
  if (!same || !isBound(path) || !isBound(filesPath)) {
    rmSync(record, { force: true });
    await makeNamespaces(remap, "or take usernsRemap out of the configuration");
    await writeFileAtomic(record, text);
  }
  return remap;
}

/** What a user namespace with these ids is, whose files are in a directory. @throws FailedPrecondition */
export function remapAt(directory: string, maps: IdMaps): Remap {
  const [path, filesPath, sources] = ["containers", "files", "sources"].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  const [uid, gid] = [idOutside(0, maps.uids), idOutside(0, maps.gids)];
  if (uid === undefined || gid === undefined) throw new FailedPrecondition("the ids of containers do not begin at 0");
  return { maps, root: { uid, gid }, path, filesPath, sources };
}

/** Makes both namespaces and keeps them by mounts. @throws FailedPrecondition that ends with this advice */
export async function makeNamespaces({ path, filesPath, maps, root }: Remap, otherwise: string): Promise<void> {
  await keep(path, maps, otherwise);
  await keep(filesPath, fileMaps(maps, root.gid), otherwise);
}

/** @throws FailedPrecondition in Docker's words */
export function requireWay(root: string, user: Remap["root"]): void {
  for (let path = root; ; path = dirname(path)) {
    const { mode, uid, gid } = statSync(path);
    const passes = (mode & 0o001) !== 0 || (gid === user.gid && (mode & 0o010) !== 0) || uid === user.uid;
    if (!passes) {
      throw new FailedPrecondition(
        `a subdirectory in your graphroot path (${path}) restricts access to the remapped root uid/gid; please fix by allowing 'o+x' permissions on existing directories`,
        { subject: { kind: "directory", name: path }, remedy: `chmod o+x ${path}` },
      );
    }
    if (path === "/") return;
  }
}

/**
 * The directories above a container's files have its root's group on the disk, so that it may pass. That must be an id in
 * mapped mounts, too, or not even root of the machine passes there.
 */
function fileMaps({ uids, gids }: IdMaps, rootGroup: number): IdMaps {
  const own = { inside: NOBODYS, outside: 0, count: 1 };
  const known = idOutside(rootGroup, gids) !== undefined;
  const group = known ? [] : [{ inside: rootGroup, outside: NOBODYS, count: 1 }];
  return { uids: [...uids, own], gids: [...gids, own, ...group] };
}

function isBound(path: string): boolean {
  try {
    return isMountPoint(path);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return false;
    throw error;
  }
}

async function keep(path: string, maps: IdMaps, otherwise: string): Promise<void> {
  try {
    unbindNamespace(path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
  try {
    using namespace = await createUserNamespace(maps);
    bindNamespace(namespace, path);
  } catch (error) {
    throw new FailedPrecondition(`containers cannot have a user namespace: ${errorMessage(error)}`, {
      cause: error,
      remedy: `see user.max_user_namespaces, ${otherwise}`,
    });
  }
}

/** The namespace that a container is in, unless it is in the machine's. */
export function remapOf(context: EngineContext, { usernsMode, pod }: HostConfig): Remap | undefined {
  if (pod !== undefined) return podUsers(context, pod);
  return usernsMode === "host" ? undefined : context.remap;
}

/** The owners that the file system of a container has. */
export function ownersFor({ remap: all }: EngineContext, remap: Remap | undefined): MountContainerOptions {
  if (remap === undefined || remap === all) return { mapped: remap !== undefined };
  return { mapped: { userNamespace: remap.filesPath, root: remap.root } };
}

/**
 * Refuses what a container in a user namespace cannot have, in Docker's words.
 *
 * @throws FailedPrecondition
 */
export function checkRemapped(context: EngineContext, hostConfig: HostConfig): void {
  if (remapOf(context, hostConfig) === undefined) return;
  const refuse = (option: string, message: string): never => {
    throw new FailedPrecondition(message, {
      subject: { kind: "option", name: option },
      remedy:
        hostConfig.pod === undefined ? "use --userns host for this container" : "let the pod have the host's users",
    });
  };
  if (hostConfig.privileged === true) {
    refuse(
      "--privileged",
      "privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode",
    );
  }
  if (hostConfig.networkMode === "host") {
    refuse("--network", "cannot share the host's network namespace when user namespaces are enabled");
  }
  if (hostConfig.pidMode === "host") {
    refuse("--pid", "cannot share the host PID namespace when user namespaces are enabled");
  }
  remappedRuntime(context, hostConfig.runtime);
}

/** Whether containers of a runtime can be in a user namespace of their pod. @param name @default the engine's default */
export function canHaveUsers({ options, remap, runtime }: EngineContext, name = ""): boolean {
  const { major, minor } = runtime.host.kernel;
  const mapsLayers = major > LAYERS_MAPPED[0] || (major === LAYERS_MAPPED[0] && minor >= LAYERS_MAPPED[1]);
  if (!mapsLayers || options.confined !== undefined || remap !== undefined || runtime.host.userNamespace) return false;
  const fits = runtime.info.runtimes.filter(({ usable, givesDevicesAway }) => usable && givesDevicesAway !== true);
  return name === "" ? fits.length > 0 : fits.some((one) => one.name === name);
}

/** The Linux since which layers of overlays can have other owners than on the disk. */
const LAYERS_MAPPED = [5, 19] as const;

/**
 * The OCI runtime for a container in the user namespace: the one that is asked for, or the default, or where that would give
 * the machine's devices away, another.
 *
 * @param asked @default the engine's default
 * @throws FailedPrecondition when that, or every runtime, would
 */
export function remappedRuntime({ runtime }: Pick<EngineContext, "runtime">, asked = ""): string {
  const { runtimes, default: usual } = runtime.info;
  const fits = runtimes.filter(({ usable, givesDevicesAway }) => usable && givesDevicesAway !== true);
  const wanted = asked === "" ? usual : asked;
  if (fits.some(({ name }) => name === wanted)) return wanted;
  const [other] = fits;
  if (asked === "" && other !== undefined) return other.name;
  const version = runtimes.find(({ name }) => name === wanted)?.version ?? "";
  throw new FailedPrecondition(
    `runtime ${wanted} ${version} gives /dev/null of the machine to containers in a user namespace`,
    { subject: { kind: "runtime", name: wanted }, remedy: "use runc, or crun 1.24 or later" },
  );
}

/**
 * Shows a file or directory with the owners that containers know.
 *
 * @throws Unsupported where its file system has no such mounts
 */
export function mapSource(
  remap: Remap,
  container: string,
  source: string,
  options: Pick<IdMappedMount, "readOnly" | "withBelow"> = {},
): string {
  const directory = join(remap.sources, container);
  mkdirSync(directory, { recursive: true, mode: 0o711 });
  const target = join(directory, createHash("sha256").update(source).digest("hex"));
  makeTarget(target, statSync(source).isDirectory());
  if (isMountPoint(target)) return target;
  mountIdMapped({ source, target, userNamespace: remap.filesPath, follows: true, ...options });
  return target;
}

/** {@link mapSource}, or the source itself where its file system has no such mounts. */
export function mapIfPossible(remap: Remap, container: string, source: string): string {
  try {
    return mapSource(remap, container, source);
  } catch (error) {
    if (error instanceof Unsupported) return source;
    throw error;
  }
}

function makeTarget(target: string, isDirectory: boolean): void {
  if (isDirectory) mkdirSync(target, { recursive: true, mode: 0o711 });
  else closeSync(openSync(target, "a", 0o644));
}

/** Takes a container's mapped sources away. Idempotent. */
export async function releaseSources(remap: Remap | undefined, container: string): Promise<void> {
  if (remap === undefined) return;
  const directory = join(remap.sources, container);
  await releaseMountsBelow(directory);
  rmSync(directory, { recursive: true, force: true });
}
