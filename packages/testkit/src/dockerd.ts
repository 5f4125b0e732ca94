import { chmod, mkdir, readdir, rmdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { EngineClient } from "./engine-client.ts";
import { startProgram, waitUntilReady } from "./process.ts";
import { tempDir } from "./temp-dir.ts";

export interface DockerdOptions {
  /**
   * Run it in network and mount namespaces of its own, so that its firewall rules, bridge and mounts end with it.
   * @default true
   */
  readonly isolated?: boolean;
  /** Shell commands that are run in its namespaces before it. @default none */
  readonly prepare?: string;
  /** Others than root may come through the directory of its state. @default false */
  readonly passable?: boolean;
  /** Where the directory of its state is made. @default the system's temporary directory */
  readonly parent?: string;
  /** More flags. */
  readonly flags?: readonly string[];
}

/** Docker's daemon, private to the test: own data, own socket, own containerd. */
export interface Dockerd extends AsyncDisposable {
  readonly socketPath: string;
  readonly client: EngineClient;
  readonly pid: number;
  /** Socket of the containerd that it runs. */
  readonly containerdSocket: string;
}

/** Removes the control group of that name, and the (empty) ones in it, from every hierarchy. */
async function removeControlGroup(name: string): Promise<void> {
  for (const hierarchy of ["", ...(await readdir("/sys/fs/cgroup"))]) {
    const group = join("/sys/fs/cgroup", hierarchy, name);
    const inside = await readdir(group, { withFileTypes: true, recursive: true }).catch(() => []);
    const groups = inside.filter((entry) => entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
    // The deepest first.
    for (const path of [...groups.sort().reverse(), group]) await rmdir(path).catch(() => {});
  }
}

async function removeContainers(client: EngineClient): Promise<void> {
  const all = await client.json<readonly { readonly Id: string }[]>("GET", "/containers/json?all=1").catch(() => []);
  await Promise.all(all.map(({ Id }) => client.call("DELETE", `/containers/${Id}?force=1&v=1`).catch(() => undefined)));
}

export async function startDockerd(options: DockerdOptions = {}): Promise<Dockerd> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(tempDir("dockerd", options.parent));
  const group = basename(directory.path);
  stack.defer(() => removeControlGroup(group));
  const { prepare = ":" } = options;
  if (options.passable === true) await chmod(directory.path, 0o711);
  await mkdir(directory.join("exec"), { recursive: true });
  const socketPath = directory.join("docker.sock");
  const log = directory.join("log");
  const flags = [
    `--data-root=${directory.join("data")}`,
    `--exec-root=${directory.join("exec")}`,
    `--pidfile=${directory.join("pid")}`,
    `--host=unix://${socketPath}`,
    `--cgroup-parent=/${group}`,
    `--config-file=${directory.join("config.json")}`,
    ...(options.flags ?? []),
  ];
  const isolate = ["unshare", "--net", "--mount", "sh", "-c", `ip link set lo up && ${prepare} && exec "$@"`, "sh"];
  const command = [...(options.isolated === false ? [] : isolate), "dockerd", ...flags];
  await writeFile(directory.join("config.json"), "{}");
  const program = stack.use(await startProgram(command, { log }));
  const client = stack.use(new EngineClient(socketPath));
  await waitUntilReady(program, log, async () => (await client.call("GET", "/_ping")).status === 200, 60_000);
  // Containers that run hold its directory and its bridge, and may outlive it: it is not given the time to end them.
  stack.defer(() => removeContainers(client));
  const owned = stack.move();
  return {
    socketPath,
    client,
    pid: program.pid,
    containerdSocket: directory.join("exec", "containerd", "containerd.sock"),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
