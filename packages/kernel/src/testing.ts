import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Fd, openLeakReport } from "./fd.ts";
import { CurrentDirectory, OpenFlag, openat } from "./open.ts";

/** Helpers of this package's own tests. */

export interface TemporaryDirectory extends Disposable {
  readonly path: string;
  /** Opened for use as a directory descriptor. */
  readonly fd: Fd;
}

/** A directory that is removed, with all it holds, when disposed. */
export function temporaryDirectory(): TemporaryDirectory {
  const path = mkdtempSync(join(tmpdir(), "boxship-kernel-"));
  const fd = openat(CurrentDirectory, path, OpenFlag.ReadOnly | OpenFlag.Directory);
  return {
    path,
    fd,
    [Symbol.dispose]() {
      fd.close();
      rmSync(path, { recursive: true, force: true });
    },
  };
}

/** The targets of descriptors that were opened since `before` and are still open. */
export function leakedDescriptors(before: ReturnType<typeof openLeakReport>): readonly string[] {
  return openLeakReport(before).map(({ number, target }) => `${number} -> ${target}`);
}
