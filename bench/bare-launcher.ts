/**
 * Runs OCI bundles with a bare runtime and says how long each took. It is a process of its own with its own mount
 * namespace: crun refuses hybrid control groups, so the second tree is unmounted here, where nobody else sees it; and it
 * is small, so that starting a process costs what it costs a small program.
 */
import { spawnProcess, unmount } from "@boxship/kernel";

interface Request {
  readonly file: string;
  readonly args: readonly string[];
}

if (process.argv[2] === "hide-v2") unmount("/sys/fs/cgroup/unified");

process.on("message", (message) => {
  const { file, args } = message as Request;
  const start = performance.now();
  void spawnProcess({ file, args }).exited.then((status) => {
    process.send?.({ ms: performance.now() - start, status });
  });
});
process.on("disconnect", () => process.exit());
process.send?.("ready");
