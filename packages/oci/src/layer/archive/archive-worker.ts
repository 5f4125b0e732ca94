import type { MessagePort } from "node:worker_threads";
import { InvalidArgument } from "@boxship/base/errors";
import { serveTasks, type TaskContext } from "@boxship/base/worker-pool";
import { FileType, fstat, OpenFlag, openat, openat2, ResolveFlag } from "@boxship/kernel";
import { yieldToMainThread } from "../../thread-priority.ts";
import { TarApplier } from "../apply/apply.ts";
import { explainFailure } from "../apply/failure.ts";
import { baseOf, parentOf, systemPath } from "../apply/names.ts";
import { decompress } from "../compression.ts";
import { findChanges } from "../pack/changes.ts";
import { packTree } from "../pack/pack-directory.ts";
import { TreePacker } from "../pack/pack-tree.ts";
import type { ByteString } from "../tar/bytes.ts";
import { TarParser } from "../tar/parser.ts";
import type { ArchiveTask } from "./archive.ts";
import { receiveBytes, sendBytes } from "./byte-channel.ts";
import { canonicalPath, openPlace, openRoot, parseContainerPath, statPlace } from "./container-path.ts";

const DIRECTORY = OpenFlag.ReadOnly | OpenFlag.Directory;
const NOTHING = "" as ByteString;

yieldToMainThread();

type Extract_ = Extract<ArchiveTask, { kind: "extract" }>;

serveTasks(async (task: ArchiveTask, context) => {
  switch (task.kind) {
    case "stat": {
      using root = openRoot(task.root);
      const where = parseContainerPath(task.path);
      using place = openPlace(root, where);
      return statPlace(root, where, place);
    }
    case "changes":
      return findChanges(task.upper, task.lowers);
    case "pack-path":
      await sendBytes(port(task), packPath(task));
      return undefined;
    case "pack-tree":
      await sendBytes(port(task), packTree(task.directory, task.options));
      return undefined;
    default:
      await extract(task, context);
      return undefined;
  }
});

/** The DOM's type of the same thing is what messages are typed with. */
function port(task: { readonly port: unknown }): MessagePort {
  return task.port as MessagePort;
}

function* packPath(task: Extract<ArchiveTask, { kind: "pack-path" }>): Generator<Buffer> {
  const { hollow = [], ids } = task.options;
  using root = openRoot(task.root);
  const where = parseContainerPath(task.path);
  using place = openPlace(root, where);
  const prefix = where.base === "/" ? where.base : (`${where.base}/` as ByteString);
  const left = where.path === "" ? hollow.map((name) => prefix + name) : [];
  const packer = new TreePacker({ hollow: new Set(left), ...(ids === undefined ? {} : { ids }) });
  const isDirectory = (fstat(place).mode & FileType.Mask) === FileType.Directory;
  if (isDirectory) {
    using directory = openat(place, ".", DIRECTORY);
    yield* packer.self(directory, where.base);
    yield* packer.content(directory, prefix);
  } else {
    // The last component is not a link that was followed: those lead to directories only.
    const resolve = ResolveFlag.InRoot | ResolveFlag.NoMagiclinks;
    const flags = DIRECTORY;
    using parent = openat2(root, systemPath(parentOf(where.path)) || ".", { flags, resolve });
    yield* packer.named(parent, baseOf(where.path), where.base);
  }
  yield* packer.finish();
}

async function extract(task: Extract_, context: TaskContext): Promise<void> {
  const base = task.options.wholeTree === true ? NOTHING : extractionPoint(task.root, task.path);
  const checkpoint = () => context.throwIfCancelled();
  using applier = new TarApplier(task.root, { whiteouts: "plain", base, checkpoint, ...task.options });
  const parser = new TarParser(applier);
  for await (const piece of decompress(receiveBytes(port(task)), { foreign: true })) {
    context.throwIfCancelled();
    parser.push(piece);
  }
  parser.finish();
  applier.finish();
}

/** The directory to unpack into, free of links. */
function extractionPoint(rootPath: string, text: string): ByteString {
  using root = openRoot(rootPath);
  const { path } = parseContainerPath(text);
  try {
    // A link to a directory is one.
    using place = openPlace(root, { path, followed: true, base: NOTHING });
    return canonicalPath(root, place);
  } catch (error) {
    if (error instanceof InvalidArgument) {
      throw new InvalidArgument(`extraction point ${text} is not a directory`, { cause: error });
    }
    throw explainFailure(error, text, rootPath);
  }
}
