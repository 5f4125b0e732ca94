import assert from "node:assert/strict";
import { chownSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { findProgram } from "@boxship/base";
import {
  busyboxEntries,
  daemonProgram,
  dockerCli,
  EngineClient,
  makeTar,
  rootlessUser,
  runProgram,
  startProgram,
  startRootlessBoxship,
  tempDir,
  waitUntilReady,
} from "@boxship/testkit";
import { eventually, processesOf } from "./testing/observe.ts";

const absent =
  findProgram("fuse-overlayfs") === undefined ? "fuse-overlayfs is not here: run scripts/setup.sh test" : false;

const commandOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return "";
  }
};

test("file systems of containers by fuse-overlayfs", { skip: absent, timeout: 180_000 }, async () => {
  await using engine = await startRootlessBoxship({
    flags: ["--storage-driver", "fuse-overlayfs", "--rootless-network", "none"],
  });
  const cli = dockerCli(engine.socketPath);
  assert.ok(cli !== undefined, "the test setup installs a docker client");
  const docker = async (...args: string[]): Promise<string> => {
    const { status, stdout, stderr } = await cli(args, { timeout: 60_000 });
    assert.equal(status, 0, `docker ${args.join(" ")}: ${stderr}`);
    return stdout.trim();
  };
  const servers = () => processesOf(engine.user.uid).filter((pid) => commandOf(pid) === "fuse-overlayfs");
  const archive = engine.user.directory.join("busybox.tar");
  writeFileSync(archive, makeTar(await busyboxEntries()));
  await docker("import", archive, "busybox");
  assert.equal(await docker("info", "-f", "{{.Driver}}"), "fuse-overlayfs");

  // What containers change becomes layers of images, in which names are gone and directories are others' no more.
  const prepare = "mkdir -p /data/old/deep && touch /data/old/deep/file /data/gone && chown 7:8 /data/gone";
  await docker("run", "--name", "first", "busybox", "sh", "-c", prepare);
  await docker("commit", "first", "first");
  const change =
    "rm /data/gone && rm -r /data/old && mkdir /data/old && echo new > /data/old/new && stat -c %u /bin/sh";
  assert.equal(await docker("run", "--name", "second", "first", "sh", "-c", change), "0");
  const changes = await docker("diff", "second");
  for (const line of ["D /data/gone", "A /data/old/new", "D /data/old/deep"])
    assert.match(changes, new RegExp(`^${line}$`, "m"));
  assert.ok(!changes.includes(".wh."), changes);
  await docker("commit", "second", "second");
  assert.equal(await docker("run", "--rm", "second", "find", "/data"), "/data\n/data/old\n/data/old/new");
  await docker("rm", "first", "second");
  assert.deepEqual(
    await eventually(
      async () => servers(),
      ({ length }) => length === 0,
    ),
    [],
  );

  await docker("run", "-d", "--name", "box", "second", "sh", "-c", "echo kept > /data/kept; exec sleep 1000");
  const [server] = servers();
  assert.ok(server !== undefined);
  await engine.crash();
  await engine.start();
  assert.equal(await docker("exec", "box", "cat", "/data/kept"), "kept");
  assert.deepEqual(servers(), [server]);
  process.kill(server, "SIGKILL");
  await eventually(
    async () => servers(),
    ({ length }) => length === 0,
  );
  assert.notEqual((await cli(["exec", "box", "cat", "/data/kept"], { timeout: 60_000 })).status, 0);
  await docker("restart", "-t", "0", "box");
  assert.equal(await docker("exec", "box", "cat", "/data/kept"), "kept");
  await engine.reset();
  assert.deepEqual(processesOf(engine.user.uid), []);
});

test("fuse-overlayfs is taken where the kernel mounts no overlay", { skip: absent, timeout: 120_000 }, async () => {
  await using layers = tempDir("rootless-layers");
  for (const part of ["lower", "upper", "work"]) mkdirSync(layers.join(part));
  const [lower, upper, work] = ["lower", "upper", "work"].map((part) => layers.join(part));
  await using user = await rootlessUser();
  await using over = new AsyncDisposableStack();
  const data = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
  const mounted = await runProgram(["mount", "-t", "overlay", "-o", data, "over", user.home]);
  assert.equal(mounted.status, 0, mounted.stderr);
  over.defer(() => runProgram(["umount", user.home]).then(() => {}));
  chownSync(user.home, user.uid, user.uid);
  const log = layers.join("daemon.log");
  const daemon = over.use(
    await startProgram(user.command([...daemonProgram(), "--rootless-network", "none"]), { log }),
  );
  using client = new EngineClient(`${user.runtimeDir}/boxship/engine.sock`);
  await waitUntilReady(daemon, log, async () => (await client.call("GET", "/_ping")).status === 200);
  assert.equal((await client.json<{ Driver: string }>("GET", "/info")).Driver, "fuse-overlayfs");
  await client.json("POST", "/boxship/shutdown?reset=1");
  await daemon.waitForEnd();
});
