import { CurrentDirectory, OpenFlag, openat } from "@boxship/kernel";
import type { ByteString } from "../tar/bytes.ts";
import { type PackOptions, TreePacker } from "./pack-tree.ts";

const DIRECTORY = OpenFlag.ReadOnly | OpenFlag.Directory;
const NOTHING = "" as ByteString;

/** What lies in a directory as a whole archive. Blocks: for worker threads. */
export function* packTree(directory: string, options: PackOptions): Generator<Buffer> {
  using root = openat(CurrentDirectory, directory, DIRECTORY);
  const packer = new TreePacker(options);
  yield* packer.content(root, NOTHING);
  yield* packer.finish();
}
