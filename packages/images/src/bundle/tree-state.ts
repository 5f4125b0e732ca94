import { createHash } from "node:crypto";
import { packDirectory, readTar, toBuffer } from "@boxship/oci";

/** What every path of a tree is, as a hash of its metadata and content; keys are its bytes in Latin-1. */
export type TreeState = Readonly<Record<string, string>>;

/** Reads a whole tree. */
export async function readTreeState(root: string): Promise<TreeState> {
  const state: Record<string, string> = {};
  for await (const { entry, body } of readTar(packDirectory(root))) {
    const { name, xattrs, sparse: _sparse, userName: _user, groupName: _group, ...rest } = entry;
    const hash = createHash("sha256").update(JSON.stringify(rest));
    for (const [key, value] of xattrs ?? []) hash.update(JSON.stringify([key, value.toString("base64")]));
    for await (const piece of body) hash.update(piece);
    state[name.replace(/\/$/, "")] = hash.digest("base64url");
  }
  return state;
}

export interface TreeChanges {
  /** Paths that are new or different. */
  readonly changed: ReadonlySet<string>;
  /** Paths that are gone; of a directory only itself. */
  readonly removed: readonly string[];
}

/** What happened to a tree. @param masked prefixes of paths that do not count, without a leading slash */
export function compareTrees(before: TreeState, after: TreeState, masked: readonly string[]): TreeChanges {
  const counts = (path: string) => {
    const text = toBuffer(path).toString();
    return !masked.some((prefix) => text === prefix || text.startsWith(`${prefix}/`));
  };
  const changed = new Set(Object.keys(after).filter((path) => after[path] !== before[path] && counts(path)));
  const gone = new Set(Object.keys(before).filter((path) => !Object.hasOwn(after, path) && counts(path)));
  const removed = [...gone].filter((path) => !gone.has(path.slice(0, Math.max(0, path.lastIndexOf("/")))));
  return { changed, removed: removed.toSorted() };
}
