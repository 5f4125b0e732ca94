import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { type Fd, openLeakReport } from "./fd.ts";
import { findMounts } from "./mountinfo.ts";
import { type NamespaceType, namespaceId, namespacePath } from "./namespace.ts";
import { CurrentDirectory, OpenFlag, openat } from "./open.ts";

/** Helpers of this package's own tests. */

export interface TemporaryDirectory extends Disposable {
  readonly path: string;
  /** Opened for use as a directory descriptor. */
  readonly fd: Fd;
}

const made: string[] = [];

/** A directory that is removed, with all it holds, when disposed. */
export function temporaryDirectory(): TemporaryDirectory {
  const path = mkdtempSync(join(tmpdir(), "boxship-kernel-"));
  made.push(path);
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

/**
 * Lets the file's suite fail when it leaves anything behind: descriptors, children (zombies included), mounts or files
 * in its temporary directories, cgroups with its process id in their name, or a thread in another namespace.
 */
export function failOnLeaks(): void {
  const before = openLeakReport();
  const home = namespaces();
  after(() => {
    assert.deepEqual(openLeakReport(before), [], "descriptors");
    assert.deepEqual(children(), [], "child processes");
    assert.deepEqual(made.filter(existsSync), [], "temporary directories");
    const mounts = made.flatMap((path) => findMounts(path).map(({ mountPoint }) => mountPoint));
    assert.deepEqual(mounts, [], "mounts");
    assert.deepEqual(ownCgroups(), [], "cgroups");
    assert.deepEqual(namespaces(), home, "namespaces");
  });
}

const WATCHED_TYPES: readonly NamespaceType[] = ["mnt", "net", "uts", "ipc", "cgroup"];

function namespaces(): readonly bigint[] {
  return WATCHED_TYPES.map((type) => namespaceId(namespacePath(type)));
}

function children(): readonly string[] {
  const threads = readdirSync("/proc/self/task");
  return threads.flatMap((thread) =>
    readFileSync(`/proc/self/task/${thread}/children`, "utf8")
      .split(" ")
      .filter((pid) => pid !== ""),
  );
}

/** Groups of tests carry the process id in their names. */
function ownCgroups(): readonly string[] {
  const root = "/sys/fs/cgroup";
  const own = new RegExp(`^boxship-.*\\b${process.pid}\\b`);
  const places = [root, ...readdirSync(root).map((name) => join(root, name))];
  return places.flatMap((place) => directoryNames(place).filter((name) => own.test(name)));
}

function directoryNames(path: string): readonly string[] {
  try {
    return readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  } catch {
    return [];
  }
}
