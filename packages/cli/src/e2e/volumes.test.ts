import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Boxship, type Ran, type RunOptions, runProgram, startBoxship, tempDir } from "@boxship/testkit";
import { onSocket } from "./programs.ts";

describe("volumes, beyond what Docker's can do", { concurrency: 3 }, () => {
  let engine: Boxship;
  let run: (args: readonly string[], options?: RunOptions) => Promise<Ran>;
  const ok = async (...args: string[]): Promise<string> => {
    const { status, stdout, stderr } = await run(args);
    assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
    return stdout.trim();
  };
  const refused = async (expected: RegExp, ...args: string[]): Promise<void> => {
    const { status, stderr } = await run(args);
    assert.notEqual(status, 0, args.join(" "));
    assert.match(stderr, expected);
  };
  const inside = (volume: string, script: string) =>
    ok("run", "--rm", "--network", "none", "-v", `${volume}:/v`, "busybox", "sh", "-c", script);
  const path = (volume: string) => join(engine.root, "volumes", volume, "_data");

  before(async () => {
    engine = await startBoxship();
    run = onSocket(engine.socketPath);
    await ok("image", "bootstrap", "busybox");
  });
  after(async () => {
    await using _ = engine;
    assert.deepEqual(readdirSync(join(engine.root, "volumes/.stages")), [], "what was refused leaves no stage");
  });

  test("snapshot, change, restore, clone; while a container runs and when it has ended", async () => {
    await ok("volume", "create", "--label", "prune=me", "db");
    await inside("db", "echo one > /v/file");
    const holder = await ok("run", "-d", "--network", "none", "-v", "db:/v", "busybox", "sleep", "1000");
    assert.equal(await ok("volume", "snapshot", "db", "before"), "before");
    await ok("exec", holder, "sh", "-c", "echo two > /v/file; echo new > /v/new");
    assert.match(await ok("volume", "snapshots", "db"), /^SNAPSHOT +CREATED +SIZE\nbefore +.* ago +\d/);
    await refused(/in use/, "volume", "restore", "db", "before");
    assert.equal(await ok("volume", "clone", "--label", "of=db", "db", "copy"), "copy");
    assert.equal(await inside("copy", "cat /v/file /v/new"), "two\nnew");
    assert.equal(await ok("volume", "ls", "-q", "--filter", "label=of=db"), "copy");
    await ok("rm", "-f", holder);
    await ok("volume", "restore", "db", "before");
    assert.equal(await inside("db", "cat /v/file; ls /v | wc -l"), "one\n1");
    await refused(/has snapshots: before/, "volume", "rm", "db");
    await ok("volume", "prune", "-af", "--filter", "label=prune=me");
    assert.equal(await ok("volume", "ls", "-q", "--filter", "name=db"), "db");
    await ok("volume", "snapshot-rm", "db", "before");
    assert.equal(await ok("volume", "snapshots", "-q", "db"), "");
    await ok("volume", "rm", "db");
  });

  test("export and import keep everything that a file system knows", async () => {
    await using directory = tempDir("volume");
    await ok("volume", "create", "full");
    const script = `cd ${path("full")} && echo one > file && ln file hard && ln -s file soft && mkfifo pipe &&
      mknod device c 1 3 && mkdir -p sub/deep && chown 70:71 . sub && chmod 2750 sub && chmod 1777 . &&
      truncate -s 1G sparse && echo end >> sparse && setfattr -n user.bytes -v 0xff0001 file &&
      setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 sub/deep &&
      touch -d '2001-02-03 04:05:06.789' file && printf x > "$(printf 'odd\\nname\\377')" &&
      touch "$(head -c 250 /dev/zero | tr '\\0' n)"`;
    const made = await runProgram(["sh", "-c", script]);
    assert.equal(made.status, 0, made.stderr);
    const archive = directory.join("full.tar");
    const begun = performance.now();
    await ok("volume", "export", "-o", archive, "full");
    assert.ok(statSync(archive).size < 10e6, "holes stay holes");
    assert.equal(await ok("volume", "import", "--label", "a=b", "again", archive), "again");
    assert.ok(performance.now() - begun < 30_000);
    const look = async (volume: string): Promise<string> => {
      const list = `cd ${path(volume)} && find . -printf '%y %m %U %G %s %n %T@ %l %p\\n' | grep -v '^d.* [0-9.]*  ' | sort;
        find . -type d -printf '%m %U %G %p\\n' | sort; stat -c %t:%T device; getfattr -d -m - -R . ; md5sum file; tail -c 4 sparse; stat -c %i file hard | uniq | wc -l`;
      const { stdout } = await runProgram(["sh", "-c", list]);
      return stdout;
    };
    assert.equal(await look("again"), await look("full"));
    assert.match(await look("full"), /security.capability/);
    assert.ok(statSync(join(path("again"), "sparse")).blocks < 1000);
    assert.equal(await ok("volume", "inspect", "-f", "{{.Labels.a}}", "again"), "b");

    const piped = await run(["volume", "import", "piped", "-"], { input: readFileSync(archive) });
    assert.equal(piped.status, 0, piped.stderr);
    assert.equal(readFileSync(join(path("piped"), "soft"), "utf8"), "one\n");
    await refused(/exists already/, "volume", "import", "piped", archive);
  });

  test("archives that are cut off, corrupt or climb make no volume, nor do bad names", async () => {
    await using directory = tempDir("volume");
    const archive = directory.join("bad.tar");
    const tar = await runProgram([
      "sh",
      "-c",
      `cd ${directory.path} && head -c 300000 /dev/urandom > data && tar -cf ${archive} data`,
    ]);
    assert.equal(tar.status, 0);
    writeFileSync(archive, readFileSync(archive).subarray(0, 100_000));
    await refused(/Error response/, "volume", "import", "bad", archive);
    await runProgram(["sh", "-c", `cd ${directory.path} && mkdir -p sub && cd sub && tar -Pcf ${archive} ../data`]);
    await refused(/Error response/, "volume", "import", "bad", archive);
    writeFileSync(archive, Buffer.alloc(4096, 1));
    await refused(/Error response/, "volume", "import", "bad", archive);
    await refused(/invalid characters/, "volume", "import", "../bad", archive);
    await refused(/no such file/, "volume", "import", "bad", directory.join("absent"));
    await refused(/no such volume/, "volume", "inspect", "bad");
    assert.equal(existsSync(path("bad")), false);
    for (const args of [
      ["clone", "absent", "x1"],
      ["export", "absent", "-o", archive],
      ["rename", "absent", "x1"],
    ]) {
      await refused(/no such volume/, "volume", ...args);
    }
    for (const args of [
      ["snapshots", "absent"],
      ["snapshot", "absent", "s1"],
      ["restore", "absent", "s1"],
    ]) {
      await refused(/no such volume/, "volume", ...args);
    }
  });

  test("rename: refused while a container knows the volume, otherwise everything goes along", async () => {
    await inside("first", "echo kept > /v/file");
    const holder = await ok("create", "-v", "first:/v", "busybox");
    await refused(/volume is in use/, "volume", "rename", "first", "second");
    await ok("rm", holder);
    await ok("volume", "snapshot", "first", "snap");
    await ok("volume", "rename", "first", "second");
    await refused(/no such volume/, "volume", "inspect", "first");
    assert.equal(await inside("second", "cat /v/file"), "kept");
    assert.equal(await ok("volume", "snapshots", "-q", "second"), "snap");
    await ok("volume", "rm", "-f", "second");
  });

  test("limits: a container gets no more, until the limit grows", async () => {
    await ok("volume", "create", "-o", "size=16m", "small");
    const write = "dd if=/dev/zero of=/v/file bs=1M count=30 2>&1 | grep -c 'No space'; ls /v";
    assert.equal(await inside("small", write), "1\nfile");
    await inside("plain", "echo kept > /v/kept");
    assert.equal(await ok("volume", "limit", "plain", "16m"), "plain");
    assert.equal(await ok("volume", "inspect", "-f", "{{.Options.size}}", "plain"), String(16 << 20));
    assert.equal(await inside("plain", `cat /v/kept; ${write}`), "kept\n1\nfile\nkept");
    await ok("volume", "limit", "plain", "64m");
    assert.equal(await inside("plain", write), "0\nfile\nkept");
    await refused(/cannot be lowered/, "volume", "limit", "plain", "16m");
    await refused(/at least 8m/, "volume", "limit", "plain", "1k");
    const holder = await ok("run", "-d", "--network", "none", "-v", "small:/v", "busybox", "sleep", "1000");
    await engine.crash();
    await engine.start();
    assert.equal(await ok("exec", holder, "ls", "/v"), "file");
    await ok("rm", "-f", holder);
    // Nothing of it is mounted any more, so that it can be removed.
    await ok("volume", "rm", "small");
  });
});
