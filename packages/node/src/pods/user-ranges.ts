import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { FailedPrecondition, ResourceExhausted, readIfPresent, systemCode, writeFileAtomic } from "@boxship/base";
import { SUBORDINATE_FILES, type SubordinateRange, subordinateLines } from "@boxship/kernel";

/** The ids of one pod, as the CRI has them. */
export interface PodUsers {
  readonly uids: readonly [IdMapping];
  readonly gids: readonly [IdMapping];
}

export interface IdMapping {
  readonly hostId: number;
  readonly containerId: number;
  readonly length: number;
}

export interface UserRangesOptions {
  /** Where `pods/UID` are. */
  readonly root: string;
  /** Most pods of the node. */
  readonly pods: number;
  /** @default "/etc/subuid" */
  readonly subuid?: string;
  /** @default "/etc/subgid" */
  readonly subgid?: string;
}

/** Ids of a pod, and what its first one is a multiple of. */
const LENGTH = 65_536;
/** Whose ranges are for pods, if there is such a user. */
const OWNER = "kubelet";
/** Ids end before those that nobody has, see the engine's mapped mounts. */
const WINDOWS = 400;

const FILE = "userns";

/**
 * Who pods in user namespaces of their own are on the machine: {@link LENGTH} ids for each, no two the same. They are those
 * of the user `kubelet` in subuid(5); without one, a window of this node's own, where ranges of other users are passed over.
 * A pod's range is written in its directory before it is used, and is free again when it was released.
 */
export class UserRanges {
  readonly #root: string;
  /** First ids that may be given. */
  readonly #all: readonly number[];
  readonly #used = new Map<string, number>();

  private constructor(root: string, all: readonly number[]) {
    this.#root = root;
    this.#all = all;
  }

  /** @throws FailedPrecondition for ranges that are not enough, or notes that cannot be read */
  static async open({ root, pods, ...files }: UserRangesOptions): Promise<UserRanges> {
    const lines = (path: string) => subordinateLines(readIfPresent(path) ?? "");
    const uids = lines(files.subuid ?? SUBORDINATE_FILES.uid);
    const gids = lines(files.subgid ?? SUBORDINATE_FILES.gid);
    const own = uids.filter(({ owner }) => owner === OWNER);
    const all = own.length > 0 ? ownRange(own, gids, pods) : freeRanges(root, pods, [...uids, ...gids]);
    const ranges = new UserRanges(root, all);
    for (const uid of await directories(join(root, "pods"))) await ranges.#recall(uid);
    return ranges;
  }

  async #recall(uid: string): Promise<void> {
    const path = join(this.#root, "pods", uid, FILE);
    const text = await readFile(path, "utf8").catch((error: unknown) => {
      if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return undefined;
      throw error;
    });
    if (text === undefined) return;
    try {
      const first = (JSON.parse(text) as { uidMappings: IdMapping[] }).uidMappings[0]?.hostId;
      if (!Number.isInteger(first)) throw new Error("it names no range");
      this.#used.set(uid, first as number);
    } catch (cause) {
      throw new FailedPrecondition(`${path} cannot be understood`, {
        cause,
        subject: { kind: "file", name: path },
        remedy: "delete the pod and this file",
      });
    }
  }

  /** The ids of a pod that has some. */
  of(uid: string): PodUsers | undefined {
    const first = this.#used.get(uid);
    return first === undefined ? undefined : usersFrom(first);
  }

  /** The ids of a pod; durable when it resolves. @throws ResourceExhausted */
  async take(uid: string): Promise<PodUsers> {
    const known = this.of(uid);
    if (known !== undefined) return known;
    const used = new Set(this.#used.values());
    const first = this.#all.find((one) => !used.has(one));
    if (first === undefined) throw new ResourceExhausted("could not find an empty slot to allocate a user namespace");
    // Taken before the first wait.
    this.#used.set(uid, first);
    const users = usersFrom(first);
    try {
      const directory = join(this.#root, "pods", uid);
      await mkdir(directory, { recursive: true, mode: 0o755 });
      await writeFileAtomic(
        join(directory, FILE),
        JSON.stringify({ uidMappings: users.uids, gidMappings: users.gids }),
      );
    } catch (error) {
      this.#used.delete(uid);
      throw error;
    }
    return users;
  }

  /** Nothing of the pod runs any more. Idempotent. */
  async release(uid: string): Promise<void> {
    if (!this.#used.has(uid)) return;
    await rm(join(this.#root, "pods", uid, FILE), { force: true });
    this.#used.delete(uid);
  }
}

function usersFrom(hostId: number): PodUsers {
  const mapping = { hostId, containerId: 0, length: LENGTH };
  return { uids: [mapping], gids: [mapping] };
}

function ownRange(
  own: readonly SubordinateRange[],
  gids: ReturnType<typeof subordinateLines>,
  pods: number,
): readonly number[] {
  const refuse = (why: string): never => {
    throw new FailedPrecondition(`subordinate ids of user ${OWNER}: ${why}`, {
      subject: { kind: "user", name: OWNER },
      remedy: `enter ${OWNER}:${LENGTH}:${LENGTH * pods} in ${SUBORDINATE_FILES.uid} and ${SUBORDINATE_FILES.gid}`,
    });
  };
  const [range = { first: 0, count: 0 }, ...more] = own;
  const same = gids.filter(({ owner }) => owner === OWNER);
  if (more.length > 0) refuse("there must be one range");
  if (same.length !== 1 || same[0]?.first !== range.first || same[0].count !== range.count) {
    refuse("uids and gids must be the same");
  }
  const { first, count } = range;
  if (first % LENGTH !== 0 || first < LENGTH) refuse(`the first, ${first}, must be a multiple of ${LENGTH}, and not 0`);
  if (count % LENGTH !== 0) refuse(`their number, ${count}, must be a multiple of ${LENGTH}`);
  if (count / LENGTH < pods) refuse(`they are not enough for ${pods} pods`);
  return Array.from({ length: count / LENGTH }, (_, at) => first + at * LENGTH);
}

/** Other nodes of this machine have other windows, unless by an accident of one in {@link WINDOWS}. */
function freeRanges(root: string, pods: number, taken: readonly SubordinateRange[]): readonly number[] {
  const window = createHash("sha256").update(root).digest().readUInt32BE() % WINDOWS;
  const blocks = Math.floor(65_535 / (WINDOWS + 100));
  const first = 1 + window * blocks;
  const isFree = (start: number): boolean =>
    taken.every((range) => start + LENGTH <= range.first || range.first + range.count <= start);
  const all = Array.from({ length: blocks }, (_, at) => (first + at) * LENGTH).filter(isFree);
  return all.slice(0, pods);
}

async function directories(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}
