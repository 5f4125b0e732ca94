import { readdir, rmdir, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { type Ran, type RunOptions, repositoryRoot, runProgram } from "./run-program.ts";
import { tempDir } from "./temp-dir.ts";

/** The distribution's podman, with images and containers of its own. Disposing removes all of them. */
export interface Podman extends AsyncDisposable {
  /** `podman ARGUMENTS`, in a mount namespace that ends with the call. */
  call(args: readonly string[], options?: RunOptions): Promise<Ran>;
  /** `podman run --rm ARGUMENTS` without a network. */
  run(args: readonly string[], options?: RunOptions): Promise<Ran>;
}

/** Removes a control group and those below it from every hierarchy. */
async function removeControlGroups(name: string): Promise<void> {
  const remove = async (path: string): Promise<void> => {
    const inner = await readdir(path, { withFileTypes: true }).catch(() => []);
    for (const entry of inner) if (entry.isDirectory()) await remove(join(path, entry.name));
    await rmdir(path).catch(() => {});
  };
  for (const hierarchy of ["", ...(await readdir("/sys/fs/cgroup"))])
    await remove(join("/sys/fs/cgroup", hierarchy, name));
}

export async function openPodman(): Promise<Podman> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(tempDir("podman"));
  const group = basename(directory.path);
  stack.defer(() => removeControlGroups(group));
  const configuration = directory.join("containers.conf");
  // runc: Debian's crun refuses hybrid control groups without systemd.
  const engine = ['cgroup_manager="cgroupfs"', 'events_logger="none"', 'runtime="runc"'];
  await writeFile(configuration, `[engine]\n${engine.join("\n")}\n`);
  await writeFile(directory.join("policy.json"), JSON.stringify({ default: [{ type: "insecureAcceptAnything" }] }));
  const places = { root: "root", runroot: "run", tmpdir: "tmp" };
  const own = Object.entries(places).flatMap(([flag, name]) => [`--${flag}`, directory.join(name)]);
  const path = `${resolve(repositoryRoot, ".cache/parts/root/usr/bin")}:${process.env["PATH"]}`;
  const call: Podman["call"] = (args, options) =>
    runProgram(["unshare", "--mount", "podman", ...own, "--storage-driver", "overlay", ...args], {
      ...options,
      env: { PATH: path, CONTAINERS_CONF: configuration, ...options?.env },
    });
  // As root without CAP_SYS_RESOURCE it cannot raise the limits that it wants to.
  const limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];
  const flags = ["--rm", "--pull", "never", "--network", "none", "--cgroup-parent", `/${group}`, ...limits];
  const owned = stack.move();
  return {
    call: ([verb = "", ...args], options) =>
      call([verb, ...(verb === "load" ? ["--signature-policy", directory.join("policy.json")] : []), ...args], options),
    run: (args, options) => call(["run", ...flags, ...args], options),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
