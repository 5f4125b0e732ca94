import { lstatSync } from "node:fs";
import { IgnoreRules, type ParentMatch } from "@boxship/build/ignore";
import { type ByteString, bytesOf, type TarInput } from "@boxship/oci/tar";
import { childrenOf, describeEntry, nameBelow, type Seen } from "../archive/pack.ts";

/** Where a walk is. */
interface At {
  /** Names are bytes, and need not be text. */
  readonly path: Buffer;
  /** Below the context's root; as text, for the rules. */
  readonly below: string;
  /** In the archive. */
  readonly name: ByteString;
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
  yield* walk(
    { path: Buffer.from(root), below, name: bytesOf(prefix), above: undefined },
    new IgnoreRules(patterns),
    new Map(),
  );
}

async function* walk(at: At, rules: IgnoreRules, seen: Seen): AsyncGenerator<TarInput> {
  for (const { child, path } of await childrenOf(at.path)) {
    const below = at.below === "" ? child.toString() : `${at.below}/${child.toString()}`;
    const name = nameBelow(at.name, child);
    const { ignored, matches } = rules.match(below, at.above);
    const stats = lstatSync(path);
    const isDirectory = stats.isDirectory();
    if (ignored && (!isDirectory || rules.hidesAllBelow(below))) continue;
    const input = ignored ? undefined : await describeEntry(path, name, stats, seen);
    if (input !== undefined) yield { ...input, entry: { ...input.entry, uid: 0, gid: 0 } };
    if (isDirectory) yield* walk({ path, below, name, above: matches }, rules, seen);
  }
}
