import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startProgram, waitUntilReady } from "./process.ts";
import { runProgram } from "./run-program.ts";
import { tempDir } from "./temp-dir.ts";

export interface ContainerdOptions {
  /** What holds a pod's namespaces: an image whose command does not end, e.g. `127.0.0.1:5000/pause:1`. */
  readonly pause: string;
  /** A CNI configuration list. */
  readonly conflist: string;
}

/** A containerd of the test's own, with its CRI. */
export interface Containerd extends AsyncDisposable {
  readonly socket: string;
  readonly log: string;
}

const PLUGINS = "/usr/lib/cni";

/** Containers of its pods that are left are ended when it is disposed of. */
export async function startContainerd({ pause, conflist }: ContainerdOptions): Promise<Containerd> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(tempDir("containerd"));
  const configurations = directory.join("net.d");
  await mkdir(configurations);
  await writeFile(join(configurations, "10-pods.conflist"), conflist);
  const socket = directory.join("containerd.sock");
  const quoted = JSON.stringify;
  const cri = '[plugins."io.containerd.grpc.v1.cri"';
  const text = [
    "version = 2",
    `root = ${quoted(directory.join("root"))}`,
    `state = ${quoted(directory.join("state"))}`,
    "[grpc]",
    `address = ${quoted(socket)}`,
    '[plugins."io.containerd.internal.v1.opt"]',
    `path = ${quoted(directory.join("opt"))}`,
    `${cri}]`,
    `sandbox_image = ${quoted(pause)}`,
    'stream_server_address = "127.0.0.1"',
    "disable_apparmor = true",
    // Not every machine lets a score be lowered.
    "restrict_oom_score_adj = true",
    `${cri}.cni]`,
    `bin_dir = ${quoted(PLUGINS)}`,
    `conf_dir = ${quoted(configurations)}`,
    `${cri}.containerd.runtimes.runc]`,
    'runtime_type = "io.containerd.runc.v2"',
  ];
  await writeFile(directory.join("config.toml"), `${text.join("\n")}\n`);
  const log = directory.join("log");
  const program = stack.use(await startProgram(["containerd", "-c", directory.join("config.toml")], { log }));
  const ctr = (...words: readonly string[]) => runProgram(["ctr", "-a", socket, ...words]);
  await waitUntilReady(program, log, async () => (await ctr("version")).status === 0, 60_000);
  stack.defer(async () => {
    const { stdout } = await ctr("-n", "k8s.io", "tasks", "ls", "-q");
    for (const id of stdout.split("\n").filter((one) => one !== "")) {
      await ctr("-n", "k8s.io", "tasks", "rm", "-f", id);
      await ctr("-n", "k8s.io", "containers", "rm", id);
    }
  });
  const owned = stack.move();
  return { socket, log, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
