import { createHash } from "node:crypto";
import { InvalidArgument, Unsupported } from "@boxship/base/errors";
import { serveTasks, type TaskContext } from "@boxship/base/worker-pool";
import { yieldToMainThread } from "../thread-priority.ts";
import { adoptDirectories } from "./apply/adopt.ts";
import { TarApplier } from "./apply/apply.ts";
import { BlobProgress, readBlob } from "./blob-source.ts";
import { decompress } from "./compression.ts";
import { TarParser } from "./tar/parser.ts";
import type { UnpackTask, UnpackTaskResult } from "./unpack.ts";

type Unpack = Extract<UnpackTask, { kind: "unpack" }>;

const PROGRESS_INTERVAL = 100;

yieldToMainThread();

serveTasks(async (task: UnpackTask, context) => {
  if (task.kind === "unpack") return await unpack(task, context);
  adoptDirectories(task.targetDirectory, task.paths, task.lowerDirectories);
  return undefined;
});

function algorithmOf(diffId: string | undefined): string {
  const algorithm = diffId === undefined ? "sha256" : diffId.slice(0, Math.max(0, diffId.indexOf(":")));
  if (algorithm !== "sha256" && algorithm !== "sha384" && algorithm !== "sha512") {
    throw new Unsupported(`the digest algorithm of the diff id ${JSON.stringify(diffId)} is not supported`);
  }
  return algorithm;
}

async function unpack(task: Unpack, context: TaskContext): Promise<UnpackTaskResult> {
  const algorithm = algorithmOf(task.diffId);
  const hash = createHash(algorithm);
  const { overlayXattrs } = task;
  const checkpoint = () => context.throwIfCancelled();
  using applier = new TarApplier(task.targetDirectory, { whiteouts: "overlay", overlayXattrs, checkpoint });
  const parser = new TarParser(applier);
  const progress = task.follow === undefined ? undefined : new BlobProgress(task.follow);
  const blob = readBlob({ path: task.blobPath, progress, cancelFlag: context.cancelFlag });
  let bytes = 0;
  let reported = performance.now();
  for await (const piece of decompress(blob, { maxBytes: task.maxBytes })) {
    context.throwIfCancelled();
    hash.update(piece);
    parser.push(piece);
    bytes += piece.length;
    if (performance.now() - reported < PROGRESS_INTERVAL) continue;
    reported = performance.now();
    context.progress({ bytes, entries: applier.entries });
  }
  parser.finish();
  applier.finish();
  const diffId = `${algorithm}:${hash.digest("hex")}`;
  if (task.diffId !== undefined && task.diffId !== diffId) {
    throw new InvalidArgument(
      `the layer's content has the diff id ${diffId}, the image's configuration says ${task.diffId}`,
    );
  }
  return {
    size: applier.bytes,
    entries: applier.entries,
    diffId,
    archiveSize: bytes,
    warnings: applier.warnings,
    implied: applier.implied,
  };
}
