import assert from "node:assert/strict";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { detectCgroups, openCgroup } from "./cgroup/index.ts";
import { readableFrom } from "./descriptor-stream.ts";
import { LaunchNamespace } from "./launch-namespace.ts";
import { detachMount, ensureSharedMount, mount, unmount } from "./mount.ts";
import { mountFilesystem } from "./mount-filesystem.ts";
import { pipe } from "./pipe.ts";
import { runProcess } from "./run-process.ts";
import type { SpawnOptions } from "./spawn.ts";
import { failOnLeaks, temporaryDirectory } from "./testing.ts";

failOnLeaks();

async function outputInside(launcher: LaunchNamespace, options: SpawnOptions) {
  using output = pipe();
  const child = launcher.spawn({ ...options, stdio: { 1: output.writeEnd, 2: output.writeEnd } });
  output.writeEnd.close();
  let text = "";
  for await (const chunk of readableFrom(output.readEnd)) text += String(chunk);
  return { ...(await child.exited), text };
}

test("hidden mounts are empty inside and untouched outside, what is written there stays inside", async () => {
  using directory = temporaryDirectory();
  mount({ source: "x", target: directory.path, type: "tmpfs" });
  writeFileSync(join(directory.path, "secret"), "");
  {
    using launcher = new LaunchNamespace({ hidden: [directory.path, "/nothing/mounted"] });
    const script = `ls ${directory.path}; touch ${directory.path}/left; mkdir ${directory.path}/dir`;
    assert.deepEqual(await outputInside(launcher, { file: "/bin/sh", args: ["-c", script] }), {
      code: 0,
      signal: undefined,
      text: "",
    });
    assert.deepEqual(
      launcher.run(() => readdirSync(directory.path).toSorted()),
      ["dir", "left"],
    );
  }
  assert.deepEqual(readdirSync(directory.path), ["secret"]);
  unmount(directory.path);
  assert.deepEqual(readdirSync(directory.path), []);
});

test("later mounts in a shared directory reach a program inside, and unmounting takes them away from it", async () => {
  using directory = temporaryDirectory();
  ensureSharedMount(directory.path);
  using launcher = new LaunchNamespace({ hidden: [] });
  const inner = join(directory.path, "rootfs");
  mkdirSync(inner);
  mountFilesystem({ type: "tmpfs", target: inner });
  writeFileSync(join(inner, "file"), "seen");
  const seen = await outputInside(launcher, { file: "/bin/cat", args: [join(inner, "file")] });
  assert.equal(seen.text, "seen");
  unmount(inner);
  assert.equal((await outputInside(launcher, { file: "/bin/ls", args: [inner] })).text, "");
  detachMount(directory.path);
});

test("what runtimes leave behind is swept when it is old and its process has gone", async () => {
  using directory = temporaryDirectory();
  mount({ source: "x", target: directory.path, type: "tmpfs" });
  using launcher = new LaunchNamespace({ hidden: [directory.path] });
  launcher.run(() => {
    const contents = { dead: "4194303\n", alive: `${process.pid}\n`, young: "4194303\n" };
    for (const [name, text] of Object.entries(contents)) {
      mkdirSync(join(directory.path, name));
      writeFileSync(join(directory.path, name, "cgroup.procs"), text);
      if (name !== "young") utimesSync(join(directory.path, name), 1, 1);
    }
  });
  launcher.sweep();
  assert.deepEqual(
    launcher.run(() => readdirSync(directory.path).toSorted()),
    ["alive", "young"],
  );
  unmount(directory.path);
});

test("what ended containers left goes while others of the same instance run and are made", async () => {
  using directory = temporaryDirectory();
  mount({ source: "x", target: directory.path, type: "tmpfs" });
  using launcher = new LaunchNamespace({ hidden: [directory.path] });
  const instance = join(directory.path, "instance");
  launcher.run(() => {
    mkdirSync(instance);
    for (let number = 0; number < 50; number++) {
      const container = join(instance, String(number));
      mkdirSync(container);
      writeFileSync(join(container, "cgroup.procs"), number === 7 ? `${process.pid}\n` : "4194303\n");
      utimesSync(container, 1, 1);
    }
  });
  launcher.sweep();
  assert.deepEqual(
    launcher.run(() => readdirSync(instance)),
    ["7"],
  );
  unmount(directory.path);
});

const hybrid = detectCgroups().layout === "hybrid";

test("crun works on a hybrid host", { skip: hybrid ? false : "this host is not hybrid" }, async () => {
  using directory = temporaryDirectory();
  const bundle = directory.path;
  mkdirSync(join(bundle, "rootfs/bin"), { recursive: true });
  copyFileSync("/bin/busybox", join(bundle, "rootfs/bin/busybox"));
  assert.equal((await runProcess({ file: "crun", args: ["spec"], cwd: bundle })).code, 0);
  const config = JSON.parse(readFileSync(join(bundle, "config.json"), "utf8"));
  config.process.args = ["/bin/busybox", "cat", "/proc/self/cgroup"];
  config.process.terminal = false;
  delete config.process.rlimits;
  const id = `boxship-launch-${process.pid}`;
  config.linux.cgroupsPath = `/${id}`;
  config.linux.resources = { memory: { limit: 64 << 20 }, pids: { limit: 50 } };
  writeFileSync(join(bundle, "config.json"), JSON.stringify(config));
  const { unified } = detectCgroups();
  using launcher = new LaunchNamespace({ hidden: [unified ?? ""] });
  const args = ["--root", join(bundle, "state"), "run", "--bundle", bundle, id];
  const crun = { file: "crun", args };
  const refused = await runProcess(crun);
  assert.notEqual(refused.code, 0);
  const { code, text } = await outputInside(launcher, crun);
  assert.equal(code, 0, text);
  assert.match(text, new RegExp(`memory:/${id}\n`));
  await openCgroup(`/${id}`).delete();
  assert.equal(existsSync(join(unified ?? "", id)), false);
});

test("a worker thread enters and leaves namespaces as well", async () => {
  const here = (file: string) => JSON.stringify(new URL(file, import.meta.url).href);
  const source = `
    import { parentPort } from "node:worker_threads";
    import { createNamespace, inNamespace, namespaceId, namespacePath } from ${here("./namespace.ts")};
    const own = namespaceId(namespacePath("mnt"));
    const space = createNamespace("mnt");
    const inside = inNamespace(space, "mnt", () => namespaceId(namespacePath("mnt")));
    space.close();
    parentPort.postMessage([own, inside, namespaceId(namespacePath("mnt"))]);`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`));
  const [own, inside, back] = await new Promise<bigint[]>((resolve, reject) => {
    worker.once("message", resolve).once("error", reject);
  });
  await once(worker, "exit");
  assert.notEqual(own, inside);
  assert.equal(own, back);
});
