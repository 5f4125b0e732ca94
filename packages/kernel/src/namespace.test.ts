import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { detachMount, ensureSharedMount, mount, setPropagation, unmount } from "./mount.ts";
import {
  asThreadNamespaceType,
  bindNamespace,
  createNamespace,
  inNamespace,
  namespaceId,
  namespacePath,
  openNamespace,
  unbindNamespace,
} from "./namespace.ts";
import { spawnProcess } from "./process.ts";
import { failOnLeaks, temporaryDirectory } from "./testing.ts";

failOnLeaks();

const links = () => readdirSync("/sys/class/net").length;
const netDevices = () => readFileSync("/proc/thread-self/net/dev", "utf8").trim().split("\n").slice(2);

test("ids tell namespaces apart", () => {
  using own = openNamespace(namespacePath("net"));
  assert.equal(namespaceId(own), namespaceId(namespacePath("net", process.pid)));
  using other = createNamespace("net");
  assert.notEqual(namespaceId(other), namespaceId(own));
  assert.equal(readlinkSync(namespacePath("net")), `net:[${namespaceId(own)}]`);
});

test("a task runs in the namespace and the thread comes back, also when the task throws", () => {
  using space = createNamespace("net");
  const home = namespaceId(namespacePath("net"));
  const devices = netDevices().length;
  assert.equal(
    inNamespace(space, "net", () => netDevices().length),
    1,
  );
  assert.throws(
    () =>
      inNamespace(space, "net", () => {
        throw new Error("inside");
      }),
    { message: "inside" },
  );
  assert.equal(namespaceId(namespacePath("net")), home);
  assert.equal(netDevices().length, devices);
  assert.ok(links() > 0);
});

test("asynchronous tasks and types that need a process are refused", () => {
  using space = createNamespace("uts");
  assert.throws(() => inNamespace(space, "uts", async () => 1), TypeError);
  assert.throws(() => asThreadNamespaceType("user"), { code: "Unsupported" });
  assert.equal(asThreadNamespaceType("ipc"), "ipc");
});

test("mounts of another mount namespace are not seen here, and the working directory stays", async () => {
  using directory = temporaryDirectory();
  const cwd = readlinkSync("/proc/thread-self/cwd");
  using space = createNamespace("mnt", () => {
    setPropagation("/", "slave", true);
    mount({ source: "x", target: directory.path, type: "tmpfs" });
    writeFileSync(join(directory.path, "inside"), "");
  });
  assert.equal(existsSync(join(directory.path, "inside")), false);
  assert.equal(
    inNamespace(space, "mnt", () => existsSync(join(directory.path, "inside"))),
    true,
  );
  assert.equal(readlinkSync("/proc/thread-self/cwd"), cwd);
  // The thread pool is somewhere else than this thread and must not have moved.
  await assert.rejects(readFile(join(directory.path, "inside")), { code: "ENOENT" });
  assert.equal(existsSync("package.json"), existsSync(join(cwd, "package.json")));
});

test("entering works again after threads were started that share our working directory", async () => {
  using space = createNamespace("mnt");
  await Promise.all(Array.from({ length: 8 }, () => readFile("/proc/self/status")));
  inNamespace(space, "mnt", () => {});
});

test("later mounts reach a slave namespace below a directory that was made shared", () => {
  using directory = temporaryDirectory();
  ensureSharedMount(directory.path);
  try {
    using space = createNamespace("mnt", () => setPropagation("/", "slave", true));
    const inner = join(directory.path, "inner");
    mkdirSync(inner);
    mount({ source: "x", target: inner, type: "tmpfs" });
    writeFileSync(join(inner, "f"), "");
    assert.equal(
      inNamespace(space, "mnt", () => existsSync(join(inner, "f"))),
      true,
    );
    unmount(inner);
    assert.equal(
      inNamespace(space, "mnt", () => existsSync(join(inner, "f"))),
      false,
    );
  } finally {
    detachMount(directory.path);
  }
});

test("a process that is started inside stays inside, and its end is seen outside", async () => {
  using space = createNamespace("net");
  const child = inNamespace(space, "net", () => spawnProcess({ file: "/bin/sleep", args: ["60"] }));
  assert.equal(namespaceId(namespacePath("net", child.pid)), namespaceId(space));
  child.kill(9);
  assert.deepEqual(await child.exited, { code: undefined, signal: "SIGKILL" });
});

test("a bound namespace has a name until it is unbound", () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "ns");
  let id: bigint;
  {
    using space = createNamespace("net");
    id = namespaceId(space);
    bindNamespace(space, path);
  }
  assert.equal(namespaceId(path), id);
  {
    using again = openNamespace(path);
    assert.throws(() => bindNamespace(again, path), { code: "EEXIST" });
  }
  unbindNamespace(path);
  assert.equal(existsSync(path), false);
});
