import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Digest, digestAlgorithm, digestHex } from "../digest.ts";

/**
 * Where things are below a store's root:
 *
 *     blobs/<algorithm>/<hex>                           whole blobs, as in an OCI image layout
 *     ingest/<key hash>.partial                         an ingest that stopped, waiting to be taken up again
 *     ingest/<key hash>.<pid>.<start time>.<random>.active   an ingest and its owner
 *
 * An ingest changes hands by renaming its file, which only one process can win.
 */
export class StorePaths {
  readonly root: string;
  readonly blobs: string;
  readonly ingests: string;

  constructor(root: string) {
    this.root = root;
    this.blobs = join(root, "blobs");
    this.ingests = join(root, "ingest");
  }

  algorithm(digest: Digest): string {
    return join(this.blobs, digestAlgorithm(digest));
  }

  blob(digest: Digest): string {
    return join(this.algorithm(digest), digestHex(digest));
  }

  partial(keyHash: string): string {
    return join(this.ingests, `${keyHash}.partial`);
  }

  active(keyHash: string): string {
    const { pid } = process;
    return join(this.ingests, `${keyHash}.${pid}.${ownStartTime()}.${randomBytes(4).toString("hex")}.active`);
  }
}

/** The part of an ingest's file name that stands for its key. */
export function hashKey(key: string): string {
  return createHash("sha256").update(key).digest("hex").slice(0, 32);
}

const ACTIVE = /^([0-9a-f]{32})\.(\d+)\.(\d+)\.[0-9a-f]+\.active$/;
const PARTIAL = /^([0-9a-f]{32})\.partial$/;

export interface IngestFileName {
  readonly keyHash: string;
  /** Whether a process that still runs writes to it. */
  readonly owned: boolean;
}

/** What the name of a file in the ingest directory says; undefined for a stranger's file. */
export function readIngestName(name: string): IngestFileName | undefined {
  const partial = PARTIAL.exec(name)?.[1];
  if (partial !== undefined) return { keyHash: partial, owned: false };
  const [, keyHash, pid, startTime] = ACTIVE.exec(name) ?? [];
  if (keyHash === undefined || pid === undefined) return undefined;
  return { keyHash, owned: startTimeOf(pid) === startTime };
}

let own: string | undefined;

function ownStartTime(): string {
  own ??= startTimeOf("self") ?? "0";
  return own;
}

/** Field 22 of proc_pid_stat(5): with it a reused process id is not mistaken for its former owner. */
function startTimeOf(pid: string): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}
