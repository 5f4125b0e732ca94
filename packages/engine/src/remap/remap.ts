import { closeSync, mkdirSync, openSync, rmSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errorMessage, FailedPrecondition, systemCode, Unsupported, writeFileAtomic } from "@boxship/base";
import {
  bindNamespace,
  createUserNamespace,
  ensureSharedMount,
  type IdMaps,
  idOutside,
  isMountPoint,
  mountIdMapped,
  releaseMountsBelow,
  unbindNamespace,
} from "@boxship/kernel";
import type { HostConfig } from "../container/config.ts";
import type { EngineContext } from "../context.ts";

/**
 * The user namespace that containers are in where the configuration asks for one. All share it, so that they can share
 * network and process namespaces: what keeps them apart are their other namespaces, as without it.
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
  const [path, filesPath, sources] = ["containers", "files", "sources"].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  mkdirSync(sources, { recursive: true, mode: 0o711 });
  // Launchers of containers are in mount namespaces that see only what is mounted in shared places.
  ensureSharedMount(directory);
  const [uid, gid] = [idOutside(0, maps.uids), idOutside(0, maps.gids)];
  if (uid === undefined || gid === undefined) throw new FailedPrecondition("the ids of containers do not begin at 0");
  requireWay(root, { uid, gid });
  const record = join(directory, "maps.json");
  const text = JSON.stringify(maps);
  const same = (await readFile(record, "utf8").catch(() => "")) === text;
  if (!same || !isBound(path) || !isBound(filesPath)) {
    rmSync(record, { force: true });
    await keep(path, maps);
    await keep(filesPath, fileMaps(maps, gid));
    await writeFileAtomic(record, text);
  }
  return { maps, root: { uid, gid }, path, filesPath, sources };
}

/** @throws FailedPrecondition in Docker's words */
function requireWay(root: string, user: Remap["root"]): void {
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

async function keep(path: string, maps: IdMaps): Promise<void> {
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
      remedy: "see user.max_user_namespaces, or take usernsRemap out of the configuration",
    });
  }
}

/** The namespace that a container is in, unless it is in the machine's. */
export function remapOf({ remap }: EngineContext, { usernsMode }: HostConfig): Remap | undefined {
  return usernsMode === "host" ? undefined : remap;
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
      remedy: "use --userns host for this container",
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
 * @returns where; the source itself where its file system has no such mounts
 */
export function mapSource(remap: Remap, container: string, source: string): string {
  const directory = join(remap.sources, container);
  mkdirSync(directory, { recursive: true, mode: 0o711 });
  const target = join(directory, Buffer.from(source).toString("base64url").slice(-100));
  makeTarget(target, statSync(source).isDirectory());
  if (isMountPoint(target)) return target;
  try {
    mountIdMapped({ source, target, userNamespace: remap.filesPath });
    return target;
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
