import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { serveTasks } from "@boxship/base/worker-pool";
import type { HashedFile, HashTask } from "./hash-file.ts";

const PIECE = 1 << 20;

serveTasks(({ path, algorithm }: HashTask, context): HashedFile => {
  const hash = createHash(algorithm);
  const piece = Buffer.allocUnsafeSlow(PIECE);
  const file = openSync(path, "r");
  try {
    for (let size = 0; ; ) {
      context.throwIfCancelled();
      const length = readSync(file, piece, 0, PIECE, null);
      if (length === 0) return { size, hex: hash.digest("hex") };
      hash.update(piece.subarray(0, length));
      size += length;
    }
  } finally {
    closeSync(file);
  }
});
