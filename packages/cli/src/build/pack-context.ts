import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { IgnoreRules, type ParentMatch } from "@boxship/build/ignore";
import type { TarInput } from "@boxship/oci/tar";
import { describeEntry, type Seen } from "../archive/pack.ts";

/** Where a walk is. */
interface At {
  readonly path: string;
  /** Below the context's root. */
  readonly below: string;
  /** In the archive. */
  readonly name: string;
  readonly above: ParentMatch | undefined;
}

/**
 * The members of an archive of a directory's files, without what the rules of an ignore file leave out. Everything
 * belongs to root.
 *
 * @param prefix of the names in the archive
 * @param below where the rules find the directory
 */
export async function* packContext(
  root: string,
  prefix: string,
  patterns: readonly string[],
  below = "",
): AsyncGenerator<TarInput> {
  yield* walk({ path: root, below, name: prefix, above: undefined }, new IgnoreRules(patterns), new Map());
}

async function* walk(at: At, rules: IgnoreRules, seen: Seen): AsyncGenerator<TarInput> {
  for (const child of (await readdir(at.path)).toSorted()) {
    const path = join(at.path, child);
    const below = at.below === "" ? child : `${at.below}/${child}`;
    const name = `${at.name}/${child}`;
    const { ignored, matches } = rules.match(below, at.above);
    const stats = await lstat(path);
    const isDirectory = stats.isDirectory();
    if (ignored && (!isDirectory || rules.hidesAllBelow(below))) continue;
    const input = ignored ? undefined : await describeEntry(path, name, stats, seen);
    if (input !== undefined) yield { ...input, entry: { ...input.entry, uid: 0, gid: 0 } };
    if (isDirectory) yield* walk({ path, below, name, above: matches }, rules, seen);
  }
}
