import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Boxship, type Ran, type RunOptions, runProgram, startBoxship, tempDir } from "@boxship/testkit";
import { boxship, onSocket, onTerminal } from "./programs.ts";

/** The command line on a real engine with a real image. */
describe("the command line on the engine", { concurrency: 3 }, () => {
  let engine: Boxship;
  let run: (args: readonly string[], options?: RunOptions) => Promise<Ran>;
  const command = (...args: string[]): readonly string[] => [
    ...boxship,
    "--host",
    `unix://${engine.socketPath}`,
    ...args,
  ];
  const ok = async (...args: string[]): Promise<string> => {
    const { status, stdout, stderr } = await run(args);
    assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
    return stdout;
  };

  before(async () => {
    engine = await startBoxship();
    run = onSocket(engine.socketPath);
    assert.equal((await ok("image", "bootstrap", "busybox")).trim(), "busybox:latest");
    await ok("run", "-d", "--name", "long", "--network", "none", "busybox", "sleep", "10000");
  });
  after(() => engine[Symbol.asyncDispose]());

  const runArgs = ["run", "--rm", "--network", "none"];

  test("output, errors and the exit status are the container's", async () => {
    const ran = await run([...runArgs, "busybox", "sh", "-c", "echo out; echo err >&2; exit 9"]);
    assert.deepEqual([ran.status, ran.stdout, ran.stderr], [9, "out\n", "err\n"]);
  });

  test("126, 127 and 125 say why nothing ran", async () => {
    const missing = await run([...runArgs, "busybox", "no-such-command"]);
    assert.deepEqual([missing.status, /executable file not found/.test(missing.stderr)], [127, true], missing.stderr);
    const directory = await run([...runArgs, "busybox", "/etc"]);
    assert.equal(directory.status, 126, directory.stderr);
    const named = await run([...runArgs, "--name", "long", "busybox"]);
    assert.deepEqual(
      [named.status, /^boxship: Error response from daemon: .*"\/?long"/.test(named.stderr)],
      [125, true],
      named.stderr,
    );
  });

  test("input is passed on byte for byte, and its end as well", async () => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7) % 256));
    const { stdout: sum } = await run([...runArgs, "-i", "busybox", "sha256sum"], { input: bytes });
    const expected = await runProgram(["sha256sum"], { input: bytes });
    assert.equal(sum, expected.stdout);
    const executed = await run(["exec", "-i", "long", "sha256sum"], { input: bytes });
    assert.equal(executed.stdout, expected.stdout);
  });

  test("exec: environment, user, directory, status", async () => {
    const { stdout, status } = await run([
      "exec",
      "-e",
      "A=b",
      "-w",
      "/tmp",
      "-u",
      "1:1",
      "long",
      "sh",
      "-c",
      "echo $A $(pwd) $(id -u); exit 4",
    ]);
    assert.deepEqual([stdout, status], ["b /tmp 1\n", 4]);
  });

  test("a terminal: its keys are signals, its exit status the container's", async () => {
    const script = 'test -t 0 && trap "echo interrupted; exit 7" INT; echo ready; while :; do sleep 0.05; done';
    const terminal = onTerminal(command("run", "--rm", "-it", "--network", "none", "busybox", "sh", "-c", script));
    await terminal.type(/ready/, "\u0003");
    const { status, output } = await terminal.end();
    assert.deepEqual([status, output.includes("interrupted")], [7, true], output);
  });

  test("a program that switches its terminal to raw output moves the cursor as it likes", async () => {
    const script = "stty raw -echo; printf 'one\\ntwo\\n'";
    const terminal = onTerminal(command("run", "--rm", "-it", "--network", "none", "busybox", "sh", "-c", script));
    const { output } = await terminal.end();
    assert.equal(output, "one\ntwo\n");
  });

  test("detach keys leave the container running, attach finds it again", async () => {
    const script = 'while read -r line; do echo "got $line"; test "$line" = end && exit 3; done';
    const first = onTerminal(
      command("run", "-it", "--name", "kept", "--network", "none", "busybox", "sh", "-c", `echo ready; ${script}`),
    );
    await first.type(/ready/, "one\r");
    await first.type(/got one/, "\u0010\u0011");
    assert.equal((await first.end()).status, 0);
    assert.equal(await ok("inspect", "-f", "{{.State.Running}}", "kept"), "true\n");
    const second = onTerminal(command("attach", "--detach-keys", "ctrl-a,x", "kept"));
    await second.typeUntil("two\r", /got two/);
    await second.type(/(?:)/, "\u0001x");
    const { status, output } = await second.end();
    assert.deepEqual([status, output.includes("read escape sequence")], [1, true], output);
    const third = onTerminal(command("attach", "kept"));
    await third.typeUntil("end\r", /got end/);
    assert.equal((await third.end()).status, 3);
    assert.equal(await ok("wait", "kept"), "3\n");
  });

  test("the third signal that asks for an end ends the client of a container that does not listen", async () => {
    const script = "trap '' INT TERM; echo ready; while :; do sleep 0.05; done";
    const [file = "", ...args] = command("run", "--name", "deaf", "--network", "none", "busybox", "sh", "-c", script);
    const child = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
    const ended = once(child, "close");
    await once(child.stdout, "data");
    for (const signal of ["SIGINT", "SIGTERM", "SIGINT"] as const) {
      assert.equal(child.exitCode, null);
      child.kill(signal);
      await delay(200);
    }
    await ended;
    assert.deepEqual([child.exitCode, said], [1, "\ngot 3 SIGTERM/SIGINTs, forcefully exiting\n"]);
    assert.equal(await ok("inspect", "-f", "{{.State.Running}}", "deaf"), "true\n");
    await ok("rm", "-f", "deaf");
  });

  test("signals go to the container", async () => {
    const script = 'trap "echo usr1" USR1; trap "echo term; exit 5" TERM; echo ready; while :; do sleep 0.05; done';
    const [file = "", ...args] = command(...runArgs, "busybox", "sh", "-c", script);
    const child = spawn(file, args, { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      if (output === "ready\n") child.kill("SIGUSR1");
      if (output === "ready\nusr1\n") child.kill("SIGTERM");
    });
    const [status] = (await once(child, "close")) as [number];
    assert.deepEqual([output, status], ["ready\nusr1\nterm\n", 5]);
  });

  test("a reader that has enough ends the writer quietly", async () => {
    const line = `${command("run", "--rm", "--network", "none", "--name", "yes", "busybox", "yes").join(" ")} | head -n 1`;
    const { stdout, stderr, status } = await runProgram(["sh", "-c", line]);
    assert.deepEqual([stdout, stderr, status], ["y\n", "", 0]);
    await run(["rm", "-f", "yes"]);
  });

  test("ids and names: ps, cidfile, inspect, rename, rm", async () => {
    await using directory = tempDir("cli-cid");
    const id = (
      await ok("create", "--name", "idle", "--cidfile", directory.join("cid"), "-p", "127.0.0.1::80", "busybox")
    ).trim();
    assert.equal(readFileSync(directory.join("cid"), "utf8"), id);
    const again = await run(["create", "--cidfile", directory.join("cid"), "busybox"]);
    assert.deepEqual([again.status, /container ID file found/.test(again.stderr)], [1, true]);
    const nowhere = await run(["create", "--name", "none", "--cidfile", directory.join("no/cid"), "busybox"]);
    assert.deepEqual([nowhere.status, /failed to create the container ID file/.test(nowhere.stderr)], [1, true]);
    const refused = await run(["create", "--name", "no/name", "--cidfile", directory.join("cid2"), "busybox"]);
    assert.deepEqual([refused.status, existsSync(directory.join("cid2"))], [1, false]);
    assert.equal(await ok("ps", "-aq", "--filter", "name=none"), "");
    assert.equal(await ok("ps", "-aq", "--no-trunc", "--filter", "name=idle"), `${id}\n`);
    await ok("rename", "idle", "renamed");
    assert.equal(await ok("inspect", "-f", "{{.Name}} {{.State.Status}}", id.slice(0, 12)), "/renamed created\n");
    assert.equal(await ok("rm", "renamed"), "renamed\n");
    const gone = await run(["rm", "renamed"]);
    assert.deepEqual([gone.status, gone.stderr], [1, "Error response from daemon: No such container: renamed\n"]);
  });

  test("logs: both streams, tail, timestamps, follow", async () => {
    await ok("run", "--name", "talker", "--network", "none", "busybox", "sh", "-c", "echo a; echo b; echo c");
    assert.equal(await ok("logs", "talker"), "a\nb\nc\n");
    assert.equal(await ok("logs", "-n", "1", "talker"), "c\n");
    assert.match(await ok("logs", "-t", "--tail", "1", "talker"), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z c\n$/);
    assert.equal(await ok("logs", "-f", "--since", "1h", "talker"), "a\nb\nc\n");
    assert.equal(await ok("logs", "--until", "1h", "talker"), "");
  });

  test("cp both ways keeps what it copies", async () => {
    await using directory = tempDir("cli-cp");
    mkdirSync(directory.join("tree/sub"), { recursive: true });
    writeFileSync(directory.join("tree/sub/f"), "content", { mode: 0o640 });
    await ok("cp", directory.join("tree"), "long:/tmp/in");
    assert.equal(await ok("exec", "long", "sh", "-c", "cat /tmp/in/sub/f; stat -c %a /tmp/in/sub/f"), "content640\n");
    await ok("cp", `${directory.join("tree")}/.`, "long:/tmp/in");
    assert.equal(await ok("exec", "long", "ls", "/tmp/in"), "sub\n");
    await ok("cp", "long:/tmp/in", directory.join("out"));
    assert.equal(readFileSync(directory.join("out/sub/f"), "utf8"), "content");
    // Names are bytes.
    const odd = (path: string) => Buffer.from(directory.join(path), "latin1");
    mkdirSync(odd("odd/\xff"), { recursive: true });
    writeFileSync(odd("odd/\xff/\xfe"), "odd");
    await ok("cp", directory.join("odd"), "long:/tmp/odd");
    await ok("cp", "long:/tmp/odd", directory.join("again"));
    assert.equal(readFileSync(odd("again/\xff/\xfe"), "utf8"), "odd");
    await ok("cp", "long:/etc/passwd", directory.join("renamed"));
    assert.match(readFileSync(directory.join("renamed"), "utf8"), /^root:/);
    const listed = await runProgram(["sh", "-c", `${command("cp", "long:/tmp/in", "-").join(" ")} | tar -t`]);
    assert.equal(listed.stdout, "in/\nin/sub/\nin/sub/f\n");
    const archive = await runProgram(["tar", "-C", directory.path, "-c", "renamed"]);
    assert.equal(archive.status, 0);
    const missing = await run(["cp", "long:/nope", directory.path]);
    assert.equal(missing.status, 1);
    const nowhere = await run(["cp", directory.join("renamed"), "long:/no/such/place"]);
    assert.equal(nowhere.status, 1);
  });

  test("networks and volumes: made, listed, used, refused, removed", async () => {
    await ok("network", "create", "--label", "a=b", "net1");
    assert.match(
      await ok("network", "ls", "--filter", "name=net1", "--format", "{{.Name}} {{.Driver}} {{.Labels}}"),
      /^net1 bridge a=b\n$/,
    );
    await ok("volume", "create", "vol1");
    await ok("run", "--rm", "--network", "net1", "-v", "vol1:/d", "busybox", "sh", "-c", "echo kept >/d/f");
    assert.equal(await ok("run", "--rm", "--network", "none", "-v", "vol1:/d:ro", "busybox", "cat", "/d/f"), "kept\n");
    assert.equal(await ok("volume", "rm", "vol1"), "vol1\n");
    assert.equal(await ok("network", "rm", "net1"), "net1\n");
    const refused = await run(["network", "rm", "net1", "nope"]);
    assert.deepEqual([refused.status, refused.stdout], [1, ""]);
  });

  test("an image that is missing and cannot be pulled is named, and nothing stays", async () => {
    const { status, stderr } = await run(["run", "--name", "never", "127.0.0.1:1/nope:v1"]);
    assert.equal(status, 125);
    assert.match(stderr, /^Unable to find image '127\.0\.0\.1:1\/nope:v1' locally\nboxship: /);
    assert.equal(await ok("ps", "-aq", "--filter", "name=never"), "");
    const never = await run(["run", "--pull", "never", "nope:v1"]);
    assert.deepEqual(
      [never.status, never.stderr.split("\n")[0]],
      [125, "boxship: Error response from daemon: No such image: nope:v1"],
    );
  });

  test("events and stats", async () => {
    await ok("run", "--rm", "--name", "eventful", "--network", "none", "busybox", "true");
    const events = await ok(
      "events",
      "--since",
      "1h",
      "--until",
      "0s",
      "--filter",
      "container=eventful",
      "--format",
      "{{.Action}}",
    );
    for (const action of ["create", "start", "die", "destroy"]) assert.ok(events.split("\n").includes(action), events);
    assert.match(await ok("stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}}", "long"), /^long 1\n$/);
  });

  test("further sockets are listed with their labels", async () => {
    const path = (await ok("system", "socket", "create", "--role", "confined", "--label", "team=a", "door")).trim();
    const [headers = "", row = ""] = (await ok("system", "socket", "ls")).split("\n");
    assert.match(headers, /^NAME +ROLE +LABEL +GROUP +PATH$/);
    assert.match(row, /^door +confined +team=a .* \//);
    assert.ok(row.endsWith(path), row);
    assert.equal(await ok("system", "socket", "ls", "-q"), "door\n");
    await ok("system", "socket", "rm", "door");
    assert.equal(await ok("system", "socket", "ls", "-q"), "");
  });

  test("completion knows the engine's names", async () => {
    assert.equal(await ok("__complete", "logs", "lo"), "long\n");
    assert.equal(await ok("__complete", "run", "--rm", "busy"), "busybox:latest\n");
  });
});

test("the engine starts when it is needed, once, and stops when told", async () => {
  await using directory = tempDir("cli-start");
  const name = `c${process.pid.toString(36)}`.slice(0, 9);
  const runDir = `/run/boxship-${name}`;
  const env = { BOXSHIP_NAME: name, BOXSHIP_ROOT: directory.join("root") };
  const cli = (...args: string[]) => runProgram([...boxship, ...args], { env });
  try {
    const stopped = await cli("daemon", "status");
    assert.deepEqual([stopped.status, /the socket does not exist/.test(stopped.stderr)], [1, true], stopped.stderr);
    const both = await Promise.all([cli("ps", "-q"), cli("ps", "-q"), cli("version", "--format", "{{.Server.Os}}")]);
    assert.deepEqual(
      both.map(({ status, stdout }) => [status, stdout]),
      [
        [0, ""],
        [0, ""],
        [0, "linux\n"],
      ],
      both.map(({ stderr }) => stderr).join(""),
    );
    assert.match((await cli("daemon", "status")).stdout, new RegExp(` Name: ${name}\n`));
    for (const words of [["ps"], ["daemon", "stop"], ["system", "reset", "--force"]]) {
      const other = await cli("--root", directory.join("other"), ...words);
      assert.equal(other.status, 1, other.stdout);
      const roots = `runs with --root ${directory.join("root")}, not with ${directory.join("other")}\nHint: .*--name`;
      assert.match(other.stderr, new RegExp(`instance "${name}" ${roots}`));
    }
    assert.equal((await cli("--root", `${directory.path}/./root/`, "ps", "-q")).status, 0);
    for (const [flag, action] of [
      ["config", "start"],
      ["name", "stop"],
    ] as const) {
      const refused = await cli("daemon", `--${flag}=x`, action);
      assert.equal(refused.status, 1, refused.stdout);
      assert.match(refused.stderr, new RegExp(`--${flag} says nothing to 'daemon ${action}'`));
    }
    assert.match((await cli("daemon", "stop")).stdout, /has stopped/);
    assert.equal(existsSync(`${runDir}/engine.sock`), false);
  } finally {
    await cli("system", "reset", "--force");
    await runProgram(["rm", "-rf", runDir]);
  }
});

test("an engine that cannot start says why", async () => {
  await using directory = tempDir("cli-start");
  writeFileSync(directory.join("file"), "");
  const name = `d${process.pid.toString(36)}`.slice(0, 9);
  const { status, stderr } = await runProgram([
    ...boxship,
    "--name",
    name,
    "--root",
    directory.join("file/root"),
    "ps",
  ]);
  assert.equal(status, 1);
  assert.match(stderr, /^the engine could not be started: .*\nHint: .*daemon\.log|^the engine could not be started: /);
  await runProgram(["rm", "-rf", `/run/boxship-${name}`]);
});
