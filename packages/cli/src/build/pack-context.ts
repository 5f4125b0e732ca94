import { lstat, readdir } from "node:fs/promises";
import { IgnoreRules, type ParentMatch } from "@boxship/build/ignore";
import { type ByteString, byteSlice, bytesOf, type TarInput } from "@boxship/oci/tar";
import { describeEntry, type Seen } from "../archive/pack.ts";

const SLASH = Buffer.from("/");

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
  for (const child of (await readdir(at.path, { encoding: "buffer" })).toSorted((a, b) => Buffer.compare(a, b))) {
    const path = Buffer.concat([at.path, SLASH, child]);
    const below = at.below === "" ? child.toString() : `${at.below}/${child.toString()}`;
    const name = `${at.name}/${byteSlice(child, 0, child.length)}` as ByteString;
    const { ignored, matches } = rules.match(below, at.above);
    const stats = await lstat(path);
    const isDirectory = stats.isDirectory();
    if (ignored && (!isDirectory || rules.hidesAllBelow(below))) continue;
    const input = ignored ? undefined : await describeEntry(path, name, stats, seen);
    if (input !== undefined) yield { ...input, entry: { ...input.entry, uid: 0, gid: 0 } };
    if (isDirectory) yield* walk({ path, below, name, above: matches }, rules, seen);
  }
}
