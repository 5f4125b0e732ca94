import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { after, before, describe, test } from "node:test";
import { type EngineUnderTest, IMAGE, startEngineUnderTest } from "../testing/engine-under-test.ts";

let engine: EngineUnderTest;

/** Every test runs with each of Docker's command lines that is here. */
const withEach = (task: (docker: EngineUnderTest["docker"][number]) => Promise<void>) => async () => {
  for (const docker of engine.docker) await task(docker);
};

describe("docker run", { timeout: 120_000 }, () => {
  before(async () => {
    engine = await startEngineUnderTest();
  });
  after(() => engine[Symbol.asyncDispose]());

  test(
    "output, errors and exit statuses",
    withEach(async (docker) => {
      const run = (...command: string[]) => docker.run(["run", "--rm", IMAGE, ...command]);
      assert.deepEqual(await run("sh", "-c", "echo out; echo err >&2; exit 3"), {
        status: 3,
        stdout: "out\n",
        stderr: "err\n",
      });
      assert.equal((await run("true")).status, 0);
      const missing = await run("nothing-of-that-name");
      assert.equal(missing.status, 127);
      assert.match(missing.stderr, /executable file not found/);
      const directory = await run("/etc");
      assert.equal(directory.status, 126);
      assert.match(directory.stderr, /permission denied|is a directory/);
      assert.equal((await docker.run(["run", "--rm", "--memory=1", IMAGE, "true"])).status, 125);
      assert.equal((await docker.run(["run", "--rm", "--network=nothing", IMAGE, "true"])).status, 125);
    }),
  );

  test(
    "input is passed on byte by byte, and its end too",
    withEach(async (docker) => {
      const input = randomBytes(300_000);
      const ran = await docker.run(["run", "--rm", "-i", IMAGE, "sh", "-c", "cat | md5sum; echo end"], { input });
      assert.equal(ran.status, 0, ran.stderr);
      const { createHash } = await import("node:crypto");
      assert.equal(ran.stdout, `${createHash("md5").update(input).digest("hex")}  -\nend\n`);
    }),
  );

  test(
    "environment, user, directory, hostname, entrypoint, limits",
    withEach(async (docker) => {
      const run = (flags: string[], ...command: string[]) => docker.ok(["run", "--rm", ...flags, IMAGE, ...command]);
      assert.equal(await run(["-e", "A=1 2", "--env", "B="], "sh", "-c", 'echo "$A$B"'), "1 2");
      assert.equal(await run(["-u", "12:34", "-w", "/tmp"], "sh", "-c", "id -u; id -g; pwd"), "12\n34\n/tmp");
      assert.equal(await run(["-h", "box"], "hostname"), "box");
      assert.equal(await run(["--network", "host"], "hostname"), hostname());
      assert.equal(await run(["--entrypoint", "echo"], "a", "b"), "a b");
      assert.equal(
        await run(
          ["--read-only", "--tmpfs", "/t"],
          "sh",
          "-c",
          "touch /x 2>/dev/null || echo no; touch /t/x && echo yes",
        ),
        "no\nyes",
      );
      assert.equal(await run(["--ulimit", "nofile=123:456"], "sh", "-c", "ulimit -n; ulimit -Hn"), "123\n456");
      assert.equal(
        await run(["--add-host", "a.example:1.2.3.4"], "sh", "-c", "grep a.example /etc/hosts"),
        "1.2.3.4\ta.example",
      );
      assert.equal(await run(["--network", "none"], "sh", "-c", "ls /sys/class/net"), "lo");
    }),
  );

  test(
    "a terminal",
    withEach(async (docker) => {
      const tty = await docker.ok(["run", "--rm", "-t", IMAGE, "sh", "-c", "tty; test -t 0 && test -t 2 && echo yes"]);
      assert.match(tty, /^\/dev\/pts\/0\r\nyes\r$/);
    }),
  );

  test(
    "a file with the id, labels, the list, and the inspect",
    withEach(async (docker) => {
      const name = `labels-${docker.version.replace(".", "-")}`;
      const id = await docker.ok([
        "run",
        "-d",
        "--name",
        name,
        "-l",
        "tier=x",
        "--stop-timeout",
        "1",
        IMAGE,
        "sleep",
        "100",
      ]);
      assert.match(id, /^[0-9a-f]{64}$/);
      assert.equal(
        await docker.ok([
          "ps",
          "--filter",
          "label=tier=x",
          "--filter",
          `name=${name}`,
          "--format",
          "{{.ID}} {{.Image}} {{.Command}} {{.Names}} {{.State}}",
        ]),
        `${id.slice(0, 12)} ${IMAGE} "sleep 100" ${name} running`,
      );
      assert.match(
        await docker.ok(["ps", "--filter", `name=${name}`, "--format", "{{.Status}}"]),
        /^Up (?:Less than a second|\d+ seconds?)$/,
      );
      assert.equal(
        await docker.ok([
          "inspect",
          "-f",
          "{{.State.Status}} {{.State.Running}} {{.Config.Image}} {{.Name}} {{.Path}} {{.Args}} {{.Config.StopTimeout}}",
          name,
        ]),
        `running true ${IMAGE} /${name} sleep [100] 1`,
      );
      assert.equal(await docker.ok(["rm", "-f", name]), name);
      assert.equal((await docker.run(["inspect", name])).status, 1);
    }),
  );

  test(
    "names in use and unknown images",
    withEach(async (docker) => {
      const name = `taken-${docker.version.replace(".", "-")}`;
      await docker.ok(["create", "--name", name, IMAGE, "true"]);
      const again = await docker.run(["create", "--name", name, IMAGE, "true"]);
      assert.equal(again.status, 1);
      assert.match(again.stderr, /is already in use by container/);
      await docker.ok(["rm", name]);
      const unknown = await docker.run(["create", "--pull", "never", "nothing/of-that:name", "true"]);
      assert.equal(unknown.status, 1);
      assert.match(unknown.stderr, /[Nn]o such image: nothing\/of-that:name/);
    }),
  );

  test(
    "published ports",
    withEach(async (docker) => {
      const name = `port-${docker.version.replace(".", "-")}`;
      await docker.ok([
        "run",
        "-d",
        "--name",
        name,
        "-p",
        "127.0.0.1::80",
        IMAGE,
        "sh",
        "-c",
        "while :; do echo hello | nc -l -p 80; done",
      ]);
      const port = await docker.ok(["port", name, "80"]);
      assert.match(port, /^127\.0\.0\.1:\d+$/);
      assert.match(
        await docker.ok(["ps", "--filter", `name=${name}`, "--format", "{{.Ports}}"]),
        /^127\.0\.0\.1:\d+->80\/tcp$/,
      );
      await docker.ok(["rm", "-f", name]);
    }),
  );
});
