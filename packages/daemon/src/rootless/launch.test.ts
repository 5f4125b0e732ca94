import assert from "node:assert/strict";
import { chownSync, mkdirSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import {
  cliProgram,
  daemonProgram,
  type RootlessBoxship,
  type RootlessUser,
  type RootlessUserOptions,
  rootlessUser,
  runProgram,
  startRootlessBoxship,
  tempDir,
} from "@boxship/testkit";
import { eventually, processesOf } from "./testing/observe.ts";

describe("the processes beside the daemon", { timeout: 120_000 }, () => {
  interface Helpers {
    readonly holder: { readonly pid: number };
    readonly outside?: { readonly kind: string; readonly process: { readonly pid: number } };
    readonly ports: { readonly pid: number };
  }
  const helpersOf = ({ runDir }: RootlessBoxship) =>
    JSON.parse(readFileSync(`${runDir}/rootless.json`, "utf8")) as Helpers;

  for (const kind of ["pasta", "slirp4netns"]) {
    test(`${kind} leads outside, and what has died is started again`, async () => {
      await using engine = await startRootlessBoxship({ flags: ["--rootless-network", kind] });
      const first = helpersOf(engine);
      assert.equal(first.outside?.kind, kind, readFileSync(engine.log, "utf8"));
      const resolvers = readFileSync(`/proc/${engine.pid}/root/etc/resolv.conf`, "utf8");
      assert.match(resolvers, kind === "pasta" ? /^nameserver 169\.254\.1\.1$/m : /^nameserver 10\.0\.2\.3$/m);
      const links = readFileSync(`/proc/${engine.pid}/net/route`, "utf8");
      assert.match(links, /^\S+\t00000000\t/m, "there is a default route");
      for (const pid of [first.outside?.process.pid ?? 0, first.ports.pid]) process.kill(pid, "SIGKILL");
      await engine.crash();
      await engine.start();
      const second = helpersOf(engine);
      assert.equal(second.holder.pid, first.holder.pid);
      assert.notEqual(second.ports.pid, first.ports.pid);
      assert.notEqual(second.outside?.process.pid, first.outside?.process.pid);
      // With the holder and the daemon the last processes in the network namespace are gone: all is made again.
      process.kill(second.holder.pid, "SIGKILL");
      await engine.crash();
      await engine.start();
      assert.notEqual(helpersOf(engine).holder.pid, first.holder.pid);
      const left = processesOf(engine.user.uid);
      assert.ok(!left.includes(second.ports.pid) && !left.includes(second.outside?.process.pid ?? 0), String(left));
    });
  }
});

test("the command line of an ordinary user starts the user's engine", async () => {
  await using user = await rootlessUser();
  const boxship = (...args: string[]) => runProgram(user.command([...cliProgram(), ...args]), { timeout: 60_000 });
  const info = await boxship("info", "--format", "{{json .SecurityOptions}} {{.DockerRootDir}}");
  try {
    assert.equal(info.status, 0, info.stderr);
    assert.match(info.stdout, /name=rootless/);
    assert.ok(info.stdout.trim().endsWith(` ${user.home}/.local/share/boxship`), info.stdout);
  } finally {
    const reset = await boxship("system", "reset", "--force");
    assert.equal(reset.status, 0, reset.stderr);
  }
  assert.deepEqual(
    await eventually(
      () => processesOf(user.uid),
      (pids) => pids.length === 0,
    ),
    [],
  );
});

describe("what a machine may lack", () => {
  const failure = async (
    options: RootlessUserOptions,
    flags: readonly string[] = [],
    prepare: (user: RootlessUser) => Promise<() => Promise<void>> = async () => async () => {},
  ): Promise<string> => {
    await using user = await rootlessUser(options);
    await using stack = new AsyncDisposableStack();
    stack.defer(await prepare(user));
    const { status, stdout, stderr } = await runProgram(user.command([...daemonProgram(), ...flags]), {
      timeout: 30_000,
    });
    assert.equal(status, 1, stderr);
    const left = await eventually(
      () => processesOf(user.uid),
      (pids) => pids.length === 0,
    );
    assert.deepEqual(left, [], "nothing of a start that fails runs on");
    const lines = `${stdout}${stderr}`.trim().split("\n");
    const { msg, remedy } = JSON.parse(lines.at(-1) ?? "") as { msg: string; remedy: string };
    return `${msg} / ${remedy}`;
  };

  test("subordinate ids: the command that gives them", async () => {
    const text = await failure({ subordinateIds: false });
    assert.match(
      text,
      /^cannot start: user bx\d+ has no subordinate uids in \/etc\/subuid \/ let root run: usermod --add-subuids 100000-165535/,
    );
  });

  test("the command line says the same, with the remedy", async () => {
    await using user = await rootlessUser({ subordinateIds: false });
    const { status, stderr } = await runProgram(user.command([...cliProgram(), "ps"]), { timeout: 30_000 });
    assert.equal(status, 1);
    assert.match(
      stderr,
      /^the engine could not be started: user bx\d+ has no subordinate uids in \/etc\/subuid\nHint: let root run: usermod /,
    );
  });

  test("a file system that overlays can be mounted on: which would do", async () => {
    await using layers = tempDir("rootless-layers");
    for (const part of ["lower", "upper", "work"]) mkdirSync(layers.join(part));
    const [lower, upper, work] = ["lower", "upper", "work"].map((part) => layers.join(part));
    const data = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
    const text = await failure({ fuse: false }, [], async ({ home, uid }) => {
      const mounted = await runProgram(["mount", "-t", "overlay", "-o", data, "over", home]);
      assert.equal(mounted.status, 0, mounted.stderr);
      chownSync(home, uid, uid);
      return async () => void (await runProgram(["umount", home]));
    });
    assert.match(
      text,
      /^cannot start: overlay file systems cannot be mounted on .* \(overlayfs\): .* \/ use --root with a directory on ext4/,
    );
  });

  test("programs: their packages", async () => {
    assert.match(
      await failure({ path: "/nonexistent" }, ["--rootless-network", "nonsense"]),
      /invalid network "nonsense"/,
    );
  });
});
