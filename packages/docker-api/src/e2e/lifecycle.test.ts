import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { tempDir } from "@boxship/testkit";
import { type DockerClient, type EngineUnderTest, IMAGE, startEngineUnderTest } from "../testing/engine-under-test.ts";

let engine: EngineUnderTest;
let serial = 0;

/** Both command lines at the same time: each test mostly waits, and makes names of its own. */
const withEach = (task: (docker: DockerClient) => Promise<void>) => async () => {
  const ended = await Promise.allSettled(engine.docker.map((docker) => task(docker)));
  for (const each of ended) if (each.status === "rejected") throw each.reason;
};

/** For what looks at all containers. */
const withEachInTurn = (task: (docker: DockerClient) => Promise<void>) => async () => {
  for (const docker of engine.docker) await task(docker);
};

/** Starts a container that runs on; removed by the test that made it. */
async function running(docker: DockerClient, command = "sleep 1000", ...flags: string[]): Promise<string> {
  const name = `life-${serial++}`;
  await docker.ok(["run", "-d", "--name", name, "--stop-timeout", "1", ...flags, IMAGE, "sh", "-c", command]);
  return name;
}

const state = (docker: DockerClient, name: string, format: string) => docker.ok(["inspect", "-f", format, name]);

/** Tries again until the check holds, at most five seconds. */
async function eventually<T>(read: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    const value = await read();
    if (holds(value) || attempt > 100) return value;
    await delay(50);
  }
}

describe("the life of a container through the docker command line", { timeout: 240_000 }, () => {
  before(async () => {
    engine = await startEngineUnderTest();
  });
  after(() => engine[Symbol.asyncDispose]());

  test(
    "a restart of a container with --rm keeps it; its networks and volumes are in the events of each run",
    withEach(async (docker) => {
      const network = `life-net-${serial++}`;
      await docker.ok(["network", "create", network]);
      const since = (Date.now() / 1000).toFixed(3);
      const name = await running(docker, "sleep 1000", "--rm", "--network", network, "-v", `${network}:/m:ro`);
      const id = await state(docker, name, "{{.Id}}");
      assert.equal(await docker.ok(["restart", "-t", "0", name]), name);
      assert.equal(await state(docker, name, "{{.Id}} {{.State.Running}}"), `${id} true`);
      await docker.ok(["top", name]);
      await docker.ok(["stop", "-t", "0", name]);
      await eventually(
        () => docker.ok(["ps", "-aq", "--filter", `name=${name}`]),
        (text) => text === "",
      );
      const format = "{{.Type}} {{.Action}} {{.Actor.Attributes}}";
      const window = ["--since", since, "--until", (Date.now() / 1000 + 0.1).toFixed(3)];
      const about = ["--filter", "type=network", "--filter", "type=volume", "--filter", "event=top"];
      const actions = ["connect", "disconnect", "mount", "unmount"].flatMap((action) => [
        "--filter",
        `event=${action}`,
      ]);
      const told = await docker.ok([
        "events",
        ...window,
        ...about,
        ...actions,
        "--filter",
        "type=container",
        "--format",
        format,
      ]);
      const own = told.split("\n").filter((line) => line.includes(id) || line.includes(`name:${name}]`));
      const run = [
        `network connect map[container:${id} name:${network} type:bridge]`,
        `volume mount map[container:${id} destination:/m driver:local propagation: read/write:false]`,
      ];
      const end = [
        `network disconnect map[container:${id} name:${network} type:bridge]`,
        `volume unmount map[container:${id} driver:local]`,
      ];
      assert.deepEqual(own, [...run, ...end, ...run, `container top map[image:${IMAGE} name:${name}]`, ...end]);
      // At once after a container with --rm is gone.
      await docker.ok(["run", "--rm", "-v", `${network}:/m`, IMAGE, "true"]);
      await docker.ok(["volume", "rm", network]);
      await docker.ok(["network", "rm", network]);
      const removed = await running(docker);
      await docker.ok(["rm", "-f", removed]);
      const until = ["--until", (Date.now() / 1000 + 0.1).toFixed(3), "--filter", `container=${removed}`];
      const last = await docker.ok(["events", "--since", since, ...until, "--format", "{{.Action}}"]);
      assert.deepEqual(last.split("\n"), ["create", "start", "kill", "die", "destroy"]);
    }),
  );

  test(
    "stop, start, restart, kill, wait, exit statuses",
    withEach(async (docker) => {
      const name = await running(docker, "trap 'exit 7' TERM; echo up; while :; do sleep 0.1; done");
      await eventually(
        () => docker.ok(["logs", name]),
        (text) => text.includes("up"),
      );
      assert.equal(await docker.ok(["stop", name]), name);
      assert.equal(await state(docker, name, "{{.State.Status}} {{.State.ExitCode}} {{.State.Pid}}"), "exited 7 0");
      assert.match(
        await docker.ok(["ps", "-a", "--filter", `name=${name}`, "--format", "{{.Status}}"]),
        /^Exited \(7\) /,
      );
      await docker.ok(["start", name]);
      assert.equal(await state(docker, name, "{{.State.Status}}"), "running");
      const ended = await state(docker, name, "{{.State.FinishedAt}}");
      assert.doesNotMatch(ended, /^0001/);
      await docker.ok(["pause", name]);
      await docker.ok(["unpause", name]);
      assert.equal(await state(docker, name, "{{.State.FinishedAt}}"), ended);
      await docker.ok(["restart", "-t", "1", name]);
      const waiting = docker.ok(["wait", name]);
      await delay(300);
      await docker.ok(["kill", name]);
      assert.equal(await waiting, "137");
      const again = await docker.run(["kill", name]);
      assert.equal(again.status, 1);
      assert.match(again.stderr, /is not running/);
      assert.equal(await docker.ok(["rm", name]), name);
      assert.match((await docker.run(["rm", name])).stderr, /No such container/);
    }),
  );

  test(
    "signals, pause and unpause",
    withEach(async (docker) => {
      const name = await running(
        docker,
        "trap 'echo usr1' USR1; i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done",
      );
      await delay(300);
      await docker.ok(["kill", "-s", "USR1", name]);
      await eventually(
        () => docker.ok(["logs", name]),
        (text) => text.includes("usr1"),
      );
      await docker.ok(["pause", name]);
      assert.equal(await state(docker, name, "{{.State.Status}} {{.State.Paused}}"), "paused true");
      assert.match(await docker.ok(["ps", "--filter", `name=${name}`, "--format", "{{.Status}}"]), /\(Paused\)$/);
      const frozen = await docker.ok(["logs", name]);
      await delay(400);
      assert.equal(await docker.ok(["logs", name]), frozen);
      assert.equal((await docker.run(["pause", name])).status, 1);
      assert.match((await docker.run(["exec", name, "true"])).stderr, /is paused/);
      await docker.ok(["unpause", name]);
      await eventually(
        () => docker.ok(["logs", name]),
        (text) => text.length > frozen.length,
      );
      assert.equal((await docker.run(["rm", name])).status, 1);
      await docker.ok(["rm", "-f", name]);
    }),
  );

  test(
    "logs: both streams, tail, times, since, follow to the end",
    withEach(async (docker) => {
      const name = await running(docker, "echo one; echo two >&2; sleep 1.2; echo three; sleep 0.5; echo four");
      const followed = await docker.run(["logs", "-f", name]);
      assert.equal(followed.stdout, "one\nthree\nfour\n");
      assert.equal(followed.stderr, "two\n");
      assert.equal(await docker.ok(["logs", "--tail", "1", name]), "four");
      assert.equal(await docker.ok(["logs", "--tail", "0", name]), "");
      const stamped = await docker.ok(["logs", "-t", name]);
      const lines = stamped.split("\n");
      assert.match(lines[0] ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z one$/);
      const second = (lines[1] ?? "").split(" ")[0] ?? "";
      assert.equal(await docker.ok(["logs", "--since", second, name]), "three\nfour");
      const between = new Date(Date.parse(second) - 500).toISOString();
      const until = await docker.run(["logs", "--until", between, name]);
      assert.deepEqual([until.stdout, until.stderr], ["one\n", "two\n"]);
      await docker.ok(["rm", "-f", name]);
    }),
  );

  test(
    "exec: output, input, exit statuses, environment, user, detached",
    withEach(async (docker) => {
      const name = await running(docker);
      const exec = (...args: string[]) => docker.run(["exec", ...args]);
      assert.deepEqual(await exec(name, "sh", "-c", "echo out; echo err >&2; exit 5"), {
        status: 5,
        stdout: "out\n",
        stderr: "err\n",
      });
      const input = Buffer.from([0, 255, 10, 13, 4, 3, 28]);
      const echoed = await docker.run(["exec", "-i", name, "md5sum"], { input });
      const { createHash } = await import("node:crypto");
      assert.equal(echoed.stdout, `${createHash("md5").update(input).digest("hex")}  -\n`);
      assert.equal(
        (await exec("-e", "X=y", "-w", "/tmp", "-u", "5", name, "sh", "-c", "echo $X; pwd; id -u")).stdout,
        "y\n/tmp\n5\n",
      );
      const missing = await exec(name, "nothing-of-that-name");
      // Docker 20.10 says 126 for both; newer ones tell them apart.
      assert.equal(missing.status, engine.kind === "dockerd" ? 126 : 127);
      assert.match(missing.stdout + missing.stderr, /executable file not found/);
      assert.equal((await exec(name, "/etc")).status, 126);
      assert.match((await exec("-t", name, "tty")).stdout, /^\/dev\/pts\/\d+\r\n$/);
      await docker.ok(["exec", "-d", name, "sh", "-c", "echo detached > /tmp/d"]);
      await eventually(
        () => docker.run(["exec", name, "cat", "/tmp/d"]),
        ({ status }) => status === 0,
      );
      await docker.ok(["stop", name]);
      const stopped = await exec(name, "true");
      assert.equal(stopped.status, 1);
      assert.match(stopped.stderr, /is not running/);
      await docker.ok(["rm", name]);
    }),
  );

  test(
    "attach: output, input, and the exit status",
    withEach(async (docker) => {
      const name = `attach-${serial++}`;
      await docker.ok(["create", "-i", "--name", name, IMAGE, "sh", "-c", "read x; echo got $x; exit 4"]);
      const ran = await docker.run(["start", "-a", "-i", name], { input: "something\n" });
      assert.deepEqual([ran.status, ran.stdout], [4, "got something\n"]);
      await docker.ok(["rm", name]);
    }),
  );

  test(
    "top, stats, changes, rename, update",
    withEach(async (docker) => {
      const name = await running(docker, "echo x > /new; rm /etc/group; echo y >> /etc/passwd; sleep 1000");
      await eventually(
        () => docker.ok(["diff", name]),
        (text) => text.includes("/etc/passwd"),
      );
      const diff = (await docker.ok(["diff", name])).split("\n").sort();
      assert.deepEqual(
        diff.filter((line) => !/ \/(?:dev|proc|sys)/.test(line)),
        ["A /new", "C /etc", "C /etc/passwd", "D /etc/group"],
      );
      assert.match(await docker.ok(["top", name]), /^UID +PID +PPID [^\n]*CMD\n[^\n]*(?:sh -c|sleep)/);
      assert.match(await docker.ok(["top", name, "-o", "pid,comm"]), /^PID +COMMAND\n/);
      const stats = await docker.ok([
        "stats",
        "--no-stream",
        "--format",
        "{{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.PIDs}}",
        name,
      ]);
      assert.match(stats, new RegExp(`^${name} [\\d.]+% [\\d.]+[kKMG]?i?B / [\\d.]+[KMGT]iB [12]$`));
      const renamed = `${name}-renamed`;
      await docker.ok(["rename", name, renamed]);
      assert.equal(await state(docker, renamed, "{{.Name}}"), `/${renamed}`);
      await docker.ok(["update", "--memory", "64m", "--memory-swap", "-1", "--restart", "on-failure:2", renamed]);
      assert.equal(
        await state(docker, renamed, "{{.HostConfig.Memory}} {{.HostConfig.RestartPolicy}}"),
        "67108864 {on-failure 2}",
      );
      await docker.ok(["rm", "-f", renamed]);
    }),
  );

  test(
    "cp in both directions, and archives as streams",
    withEach(async (docker) => {
      await using directory = tempDir("cp");
      const name = await running(docker);
      mkdirSync(directory.join("tree/sub"), { recursive: true });
      writeFileSync(directory.join("tree/a"), "content a");
      writeFileSync(directory.join("tree/sub/b"), "content b", { mode: 0o755 });
      await docker.ok(["cp", directory.join("tree"), `${name}:/tmp/`]);
      await docker.ok(["cp", directory.join("tree/a"), `${name}:/tmp/renamed`]);
      assert.equal(
        await docker.ok(["exec", name, "cat", "/tmp/tree/a", "/tmp/tree/sub/b", "/tmp/renamed"]),
        "content acontent bcontent a",
      );
      await docker.ok(["cp", `${name}:/tmp/tree/sub`, directory.join("out")]);
      assert.equal(readFileSync(directory.join("out/b"), "utf8"), "content b");
      const missing = await docker.run(["cp", `${name}:/nothing`, directory.path]);
      assert.equal(missing.status, 1);
      assert.match(missing.stderr, /Could not find the file \/nothing in container|No such container:path/);
      const tar = await docker.run(["cp", `${name}:/tmp/renamed`, "-"]);
      assert.match(tar.stdout, /^renamed\0/);
      chownSync(directory.join("tree/a"), 1234, 1235);
      await docker.ok(["cp", "--archive", directory.join("tree/a"), `${name}:/tmp/owned`]);
      assert.equal((await docker.ok(["exec", name, "stat", "-c", "%u:%g", "/tmp/owned"])).trim(), "1234:1235");
      await docker.ok(["cp", `${name}:/`, directory.join("whole")]);
      assert.ok(existsSync(directory.join("whole/tmp/tree/a")));
      for (const own of ["proc", "sys"]) assert.deepEqual(readdirSync(directory.join("whole", own)), []);
      await docker.ok(["stop", name]);
      await docker.ok(["cp", directory.join("tree/a"), `${name}:/etc/after-stop`]);
      const exported = await docker.run(["export", name], { timeout: 30_000 });
      assert.match(exported.stdout, /etc\/after-stop/);
      await docker.ok(["rm", name]);
    }),
  );

  test(
    "events of a life",
    withEach(async (docker) => {
      const since = String(Math.floor(Date.now() / 1000));
      const name = `events-${serial++}`;
      await docker.ok(["run", "--name", name, IMAGE, "true"]);
      await docker.ok(["rm", name]);
      // A little later than now, so that what was just answered is told: until then it waits.
      const until = ((Date.now() + 50) / 1000).toFixed(3);
      const seen = await docker.ok([
        "events",
        "--since",
        since,
        "--until",
        until,
        "--filter",
        `container=${name}`,
        "--format",
        "{{.Action}}",
      ]);
      assert.deepEqual(seen.split("\n"), ["create", "attach", "start", "die", "destroy"]);
      const die = await docker.ok([
        "events",
        "--since",
        since,
        "--until",
        until,
        "--filter",
        "event=die",
        "--filter",
        `container=${name}`,
        "--format",
        "{{.Type}} {{.Actor.Attributes.exitCode}} {{.Actor.Attributes.image}} {{.Actor.Attributes.name}}",
      ]);
      assert.equal(die, `container 0 ${IMAGE} ${name}`);
    }),
  );

  test(
    "detaching by keys leaves the container running",
    withEach(async (docker) => {
      const name = `detach-${serial++}`;
      // `script` gives the command line the terminal that detaching needs.
      const command = `${docker.program} run -it --name ${name} ${IMAGE} sh`;
      const child = spawn("script", ["-qfec", command, "/dev/null"], {
        env: { ...process.env, ...docker.env, TERM: "xterm" },
        stdio: ["pipe", "pipe", "inherit"],
      });
      let seen = "";
      child.stdout.on("data", (chunk: Buffer) => {
        seen += chunk.toString();
      });
      await eventually(
        () => Promise.resolve(seen),
        (text) => text.includes("#"),
      );
      child.stdin.write("echo in-$((20+1))\n");
      await eventually(
        () => Promise.resolve(seen),
        (text) => text.includes("in-21"),
      );
      child.stdin.write("\u0010\u0011");
      const [code] = (await once(child, "exit")) as [number];
      assert.ok(seen.includes("in-21"), seen);
      assert.equal(code, 0, seen);
      assert.equal(await state(docker, name, "{{.State.Running}}"), "true");
      await docker.ok(["rm", "-f", name]);
    }),
  );

  test(
    "prune removes what does not run, and says what it freed",
    withEachInTurn(async (docker) => {
      const keep = await running(docker);
      const gone = await docker.ok(["run", "-d", IMAGE, "sh", "-c", "dd if=/dev/zero of=/x bs=1M count=2 2>/dev/null"]);
      await docker.ok(["wait", gone]);
      const pruned = await docker.ok(["container", "prune", "-f"]);
      assert.ok(pruned.includes(gone), pruned);
      assert.match(pruned, /Total reclaimed space: 2\.\d+MB/);
      assert.equal(await state(docker, keep, "{{.State.Running}}"), "true");
      await docker.ok(["rm", "-f", keep]);
    }),
  );
});
