import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import {
  busyboxEntries,
  dockerCli,
  FIRST_SUBORDINATE,
  makeTar,
  type RootlessBoxship,
  runProgram,
  startRegistry,
  startRootlessBoxship,
  type TempDir,
  tempDir,
} from "@boxship/testkit";
import { networkClient } from "./testing/network-client.ts";
import { eventually, processesOf } from "./testing/observe.ts";

async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  const { promise, resolve } = Promise.withResolvers<void>();
  server.once("listening", resolve);
  await promise;
  const address = server.address();
  await new Promise((closed) => server.close(closed));
  return typeof address === "object" && address !== null ? address.port : 0;
}

const page = (port: number, host = "127.0.0.1"): Promise<string> =>
  fetch(`http://${host}:${port}/`).then(
    (answer) => answer.text(),
    (error: unknown) => String(error),
  );

describe("an engine that an ordinary user starts", { timeout: 240_000 }, () => {
  let engine: RootlessBoxship;
  let configuration: TempDir;
  let cli: NonNullable<ReturnType<typeof dockerCli>>;

  const docker = async (...args: string[]): Promise<string> => {
    const { status, stdout, stderr } = await cli(args, { timeout: 30_000 });
    assert.equal(status, 0, `docker ${args.join(" ")}: ${stderr}`);
    return stdout.trim();
  };
  const refused = async (...args: string[]): Promise<string> => {
    const { status, stderr } = await cli(args, { timeout: 30_000 });
    assert.notEqual(status, 0, `docker ${args.join(" ")} was not refused`);
    return stderr;
  };

  before(async () => {
    configuration = tempDir("rootless-config");
    writeFileSync(configuration.join("config.yaml"), "registry: { listen: '127.0.0.1:0' }\n");
    chmodSync(configuration.path, 0o755);
    engine = await startRootlessBoxship({ flags: ["--config", configuration.join("config.yaml")] });
    const client = dockerCli(engine.socketPath);
    assert.ok(client !== undefined, "the test setup installs a docker client");
    cli = client;
    const archive = engine.user.directory.join("busybox.tar");
    writeFileSync(archive, makeTar(await busyboxEntries()));
    await docker("import", archive, "busybox");
  });
  after(async () => {
    await engine?.[Symbol.asyncDispose]();
    await configuration?.[Symbol.asyncDispose]();
  });

  test("its socket, processes and files are the user's", async () => {
    const { uid } = engine.user;
    const socket = statSync(engine.socketPath);
    assert.deepEqual([socket.uid, socket.mode & 0o777], [uid, 0o600]);
    assert.equal(statSync(engine.runDir).mode & 0o777, 0o700);
    assert.equal(statSync(engine.root).uid, uid);
    assert.ok(processesOf(uid).includes(engine.pid));
    const options = JSON.parse(await docker("info", "--format", "{{json .SecurityOptions}}")) as string[];
    assert.ok(options.includes("name=rootless"), String(options));
    assert.equal(await docker("info", "--format", "{{.CgroupDriver}}"), "none");
  });

  test("run, logs, exec, top, cp and users", async () => {
    assert.match(await docker("run", "--rm", "busybox", "id"), /^uid=0\(root\) gid=0/);
    assert.match(await docker("run", "--rm", "--user", "nobody", "busybox", "id", "-u"), /^65534$/);
    await docker("run", "-d", "--name", "plain", "busybox", "sh", "-c", "echo begun; exec sleep 1000");
    assert.equal(
      await eventually(
        () => docker("logs", "plain"),
        (text) => text !== "",
      ),
      "begun",
    );
    assert.equal(await docker("exec", "plain", "sh", "-c", "echo $((6 * 7))"), "42");
    assert.match(await docker("top", "plain"), /sleep 1000/);
    const status = readFileSync(
      `/proc/${await docker("inspect", "--format", "{{.State.Pid}}", "plain")}/status`,
      "utf8",
    );
    assert.match(status, new RegExp(`^Uid:\\s+${engine.user.uid}\\s`, "m"));
    assert.match(status, /^Seccomp:\s+2$/m);
    await docker("rm", "-f", "plain");
  });

  test("processes are found and ended without control groups, those on the machine's process ids too", async () => {
    await docker(
      "run",
      "-d",
      "--name",
      "shared",
      "--pid",
      "host",
      "busybox",
      "sh",
      "-c",
      "sleep 987654 & exec sleep 987653",
    );
    await eventually(
      () => docker("top", "shared"),
      (text) => text.includes("sleep 987654"),
    );
    await docker("kill", "shared");
    await docker("rm", "shared");
    const left = processesOf(engine.user.uid).filter((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("98765"),
    );
    assert.deepEqual(left, []);
  });

  test("without control groups limits are discarded with Docker's warnings, and pausing is refused", async () => {
    const limited = ["--memory", "64m", "--cpus", "1", "--pids-limit", "5"];
    const { status, stderr } = await cli(["run", "-d", "--name", "unpaused", ...limited, "busybox", "sleep", "1000"]);
    assert.equal(status, 0, stderr);
    for (const what of ["memory limit capabilities", "CPU CFS quota", "pids limit"]) {
      assert.match(
        stderr,
        new RegExp(`WARNING: your kernel does not support ${what} or the cgroup is not mounted`, "i"),
      );
    }
    const shown = "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}}";
    assert.equal(await docker("inspect", "-f", shown, "unpaused"), "0 -1 0");
    assert.match(await refused("pause", "unpaused"), /processes cannot be frozen/);
    await docker("rm", "-f", "unpaused");
  });

  test("devices, proc of the machine, privileged", async () => {
    assert.match(
      await docker("run", "--rm", "--device", "/dev/null:/dev/nothing", "busybox", "ls", "-l", "/dev/nothing"),
      /1,\s+3/,
    );
    assert.ok(
      Number(await docker("run", "--rm", "--pid", "host", "busybox", "sh", "-c", "ls -d /proc/[0-9]* | wc -l")) > 3,
    );
    assert.match(
      await docker(
        "run",
        "--rm",
        "--privileged",
        "busybox",
        "sh",
        "-c",
        "mount -t tmpfs t /tmp && grep -c ' /tmp ' /proc/mounts",
      ),
      /^1$/,
    );
  });

  test("a published port, under every address of the machine, and no port twice", async () => {
    const port = await freePort();
    await docker(
      "run",
      "-d",
      "--name",
      "web",
      "-p",
      `${port}:80`,
      "busybox",
      "sh",
      "-c",
      "echo hello > /tmp/index.html; exec httpd -f -p 80 -h /tmp",
    );
    assert.equal(
      await eventually(
        () => page(port),
        (text) => text === "hello\n",
      ),
      "hello\n",
    );
    assert.equal(await page(port, "[::1]"), "hello\n");
    assert.match(
      await refused("run", "--rm", "-p", `${port}:80`, "busybox", "true"),
      /port is already allocated to container web/,
    );
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, resolve));
    const address = taken.address();
    const other = typeof address === "object" && address !== null ? address.port : 0;
    assert.match(await refused("run", "--rm", "-p", `${other}:80`, "busybox", "true"), /address already in use/);
    taken.close();
    assert.match(await refused("run", "--rm", "-p", "81:80", "busybox", "true"), /only root may take this port/);
    await docker("rm", "-f", "web");
    assert.match(await page(port), /fetch failed/);
  });

  test("UDP through a published port", async () => {
    const port = await freePort();
    // busybox has no server for datagrams, but the machine has perl.
    const echo =
      "use IO::Socket::INET; $s = IO::Socket::INET->new(LocalPort => 7, Proto => 'udp') or die $!; " +
      "while ($s->recv($m, 99)) { $s->send(qq(<$m>)) }";
    const publish = `127.0.0.1:${port}:7/udp`;
    await docker(
      "run",
      "-d",
      "--name",
      "echo",
      "-p",
      publish,
      "-v",
      "/:/machine:ro",
      "busybox",
      "chroot",
      "/machine",
      "perl",
      "-e",
      echo,
    );
    const socket = createSocket("udp4");
    const answer = new Promise<string>((resolve) => socket.once("message", (message) => resolve(message.toString())));
    for (let attempt = 0; attempt < 50; attempt++) {
      socket.send("ping", port, "127.0.0.1");
      if ((await Promise.race([answer, delay(100)])) !== undefined) break;
    }
    assert.equal(await Promise.race([answer, delay(1000, "nothing")]), "<ping>");
    socket.close();
    await docker("rm", "-f", "echo");
  });

  test("containers see their clients' addresses and ports, over TCP and UDP", async () => {
    // Nothing sends from an address of a documentation range by itself: a link of the test's own has it.
    await using client = await networkClient();
    const port = await freePort();
    const say =
      "use IO::Socket::INET; $s = IO::Socket::INET->new(LocalPort => 7, Proto => 'tcp', Listen => 9) or die $!; " +
      "$u = IO::Socket::INET->new(LocalPort => 7, Proto => 'udp') or die $!; " +
      "if (!fork) { while ($u->recv($m, 99)) { $u->send($u->peerhost . ' ' . $u->peerport) } } " +
      "while ($c = $s->accept) { print $c $c->peerhost . ' ' . $c->peerport; close $c }";
    const publish = ["-p", `${port}:7`, "-p", `${port}:7/udp`, "-v", "/:/machine:ro"];
    await docker("run", "-d", "--name", "seen", ...publish, "busybox", "chroot", "/machine", "perl", "-e", say);
    for (const protocol of ["tcp", "udp"]) {
      const ask =
        `use IO::Socket::INET; $c = IO::Socket::INET->new(PeerAddr => '${client.machine}', PeerPort => ${port}, ` +
        `Proto => '${protocol}') or exit 1; $c->send('x'); alarm 2; $c->recv($m, 99); exit 1 if $m eq ''; ` +
        "print $m, ' = ', $c->sockhost, ' ', $c->sockport";
      const said = await eventually(() => client.run(["perl", "-e", ask]), Boolean);
      const [seen, own] = said.split(" = ");
      assert.equal(seen, own, protocol);
      assert.match(said, new RegExp(`^${client.address} `), protocol);
    }
    await docker("rm", "-f", "seen");
  });

  test("containers of a network find each other by name", async () => {
    await docker("network", "create", "inner");
    await docker(
      "run",
      "-d",
      "--name",
      "one",
      "--network",
      "inner",
      "busybox",
      "sh",
      "-c",
      "echo found > /tmp/index.html; exec httpd -f -p 80 -h /tmp",
    );
    assert.match(
      await docker("run", "--rm", "--network", "inner", "busybox", "ping", "-c", "1", "-W", "2", "one"),
      /1 packets received/,
    );
    const look = "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc one 80 | tail -n 1";
    assert.equal(await docker("run", "--rm", "--network", "inner", "busybox", "sh", "-c", look), "found");
    await docker("rm", "-f", "one");
    await docker("network", "rm", "inner");
  });

  test("Compose: two services, health, a volume, a published port, limits with a warning", async () => {
    const port = await freePort();
    const file = engine.user.directory.join("compose.yaml");
    writeFileSync(
      file,
      `name: stack
services:
  web:
    image: busybox
    command: sh -c "echo stacked > /data/index.html; exec httpd -f -p 80 -h /data"
    ports: ["127.0.0.1:${port}:80"]
    volumes: ["data:/data"]
    mem_limit: 64m
    healthcheck: { test: ["CMD", "test", "-s", "/data/index.html"], interval: 1s }
  ask:
    image: busybox
    command: sh -c "printf 'GET / HTTP/1.0\\\\r\\\\n\\\\r\\\\n' | nc web 80"
    depends_on: { web: { condition: service_healthy } }
volumes: { data: {} }
`,
    );
    const compose = ["compose", "-f", file];
    const up = await cli([...compose, "up", "-d"], { timeout: 60_000 });
    assert.equal(up.status, 0, up.stderr);
    assert.match(up.stderr, /memory limit capabilities .* Limitation discarded/);
    assert.equal(await page(port), "stacked\n");
    const logs = () => docker(...compose, "logs", "--no-log-prefix", "ask");
    assert.match(await eventually(logs, (text) => text.includes("stacked")), /^stacked$/m);
    await docker(...compose, "down", "-v", "-t", "0");
    assert.equal(await docker("volume", "ls", "-q"), "");
    // 1.29 speaks a version of years ago, and knows neither a name nor conditions without a version of the file.
    writeFileSync(file, readFileSync(file, "utf8").replace("name: stack", 'version: "2.4"'));
    const old = (...words: string[]) =>
      runProgram(["/usr/bin/docker-compose", "-p", "stack", "-f", file, ...words], {
        timeout: 60_000,
        env: { DOCKER_HOST: `unix://${engine.socketPath}` },
      });
    const started = await old("up", "-d");
    assert.equal(started.status, 0, started.stderr);
    assert.equal(await page(port), "stacked\n");
    assert.match((await old("ps")).stdout, /stack_web_1 .* Up \(healthy\) +127\.0\.0\.1:\d+->80\/tcp/);
    const ended = await old("down", "-v", "-t", "0");
    assert.equal(ended.status, 0, ended.stderr);
    assert.equal(await docker("ps", "-aq"), "");
  });

  test("volumes belong to whom the container says", async () => {
    await docker("volume", "create", "data");
    assert.equal(
      await docker(
        "run",
        "--rm",
        "-v",
        "data:/data",
        "busybox",
        "sh",
        "-c",
        "echo kept > /data/file; chown 1000:1000 /data/file; stat -c %u:%g /data/file",
      ),
      "1000:1000",
    );
    assert.equal(await docker("run", "--rm", "-v", "data:/data:ro", "busybox", "cat", "/data/file"), "kept");
    assert.equal(statSync(`${engine.root}/volumes/data/_data/file`).uid, FIRST_SUBORDINATE + 999);
    await docker("volume", "rm", "data");
  });

  test("an image by commit: removed files, opaque directories and owners survive", async () => {
    await docker(
      "run",
      "--name",
      "made",
      "busybox",
      "sh",
      "-c",
      "mkdir /var/a && echo 1 > /var/a/old && chown 7:8 /var/a/old",
    );
    await docker("commit", "made", "first");
    await docker("rm", "made");
    await docker(
      "run",
      "--name",
      "made",
      "first",
      "sh",
      "-c",
      "rm -r /var/a && mkdir /var/a && echo 2 > /var/a/new && rm /etc/group",
    );
    await docker("commit", "made", "second");
    await docker("rm", "made");
    assert.equal(await docker("run", "--rm", "first", "stat", "-c", "%u:%g", "/var/a/old"), "7:8");
    assert.equal(await docker("run", "--rm", "second", "sh", "-c", "ls /var/a"), "new");
    assert.match(await refused("run", "--rm", "second", "cat", "/etc/group"), /No such file/);
    // And after unpacking it from an archive, into layers with marks of their own.
    const archive = engine.user.directory.join("second.tar");
    await docker("save", "-o", archive, "second");
    await docker("rmi", "second", "first");
    await docker("load", "-i", archive);
    assert.equal(await docker("run", "--rm", "second", "sh", "-c", "ls /var/a"), "new");
  });

  test("a registry on the machine's loopback: push, pull, FROM and ADD", async () => {
    await using registry = await startRegistry();
    const name = `${registry.host}/team/tool:1`;
    await docker("tag", "busybox", name);
    await docker("push", name);
    await docker("rmi", name);
    await docker("pull", name);
    await docker("rmi", name);
    const context = tempDir("rootless-context");
    await using _context = context;
    const served = createHttpServer((_request, response) => response.end("by address")).listen(0, "127.0.0.1");
    await once(served, "listening");
    const { port } = served.address() as AddressInfo;
    writeFileSync(
      context.join("Dockerfile"),
      `FROM ${name}\nADD http://127.0.0.1:${port}/file /file\nRUN grep address /file\n`,
    );
    await docker("build", "-t", "built", context.path);
    served.close();
    served.closeAllConnections();
    assert.equal(await docker("run", "--rm", "built", "cat", "/file"), "by address");
    await registry[Symbol.asyncDispose]();
    assert.match(await refused("pull", name), /ECONNREFUSED/);
  });

  test("its own registry is on the machine's loopback", async () => {
    const port = /"port":(\d+)\},"msg":"serving the images/.exec(readFileSync(engine.log, "utf8"))?.[1];
    const answer = await fetch(`http://127.0.0.1:${port}/v2/_catalog`);
    const { repositories } = (await answer.json()) as { repositories: string[] };
    assert.ok(repositories.includes("library/busybox"), String(repositories));
  });

  test("an owner beyond the user's ids is an error that names it", async () => {
    const layer = makeTar([...(await busyboxEntries()), { name: "far", content: "x", uid: 200_000 }]);
    const { status, stderr } = await cli(["import", "-", "far"], { input: layer, timeout: 30_000 });
    assert.notEqual(status, 0);
    assert.match(stderr, /tar entry "far": its owner, uid 200000, is beyond the ids .*\/etc\/subuid/);
  });

  test("after kill -9 containers run on, their ports answer meanwhile, and they are found again", async () => {
    const port = await freePort();
    await docker(
      "run",
      "-d",
      "--name",
      "lasting",
      "-p",
      `${port}:80`,
      "busybox",
      "sh",
      "-c",
      "echo still > /tmp/index.html; exec httpd -f -p 80 -h /tmp",
    );
    await eventually(
      () => page(port),
      (text) => text === "still\n",
    );
    const pid = await docker("inspect", "--format", "{{.State.Pid}}", "lasting");
    await engine.crash();
    assert.equal(await page(port), "still\n");
    await engine.start();
    assert.equal(await docker("inspect", "--format", "{{.State.Pid}} {{.State.Running}}", "lasting"), `${pid} true`);
    assert.equal(await page(port), "still\n");
    assert.equal(await docker("exec", "lasting", "echo", "here"), "here");
    // The same when whoever held the namespaces is gone, too: the container's monitor has kept them.
    const { holder } = JSON.parse(readFileSync(`${engine.runDir}/rootless.json`, "utf8")) as {
      holder: { pid: number };
    };
    process.kill(holder.pid, "SIGKILL");
    await engine.crash();
    assert.equal(await page(port), "still\n");
    await engine.start();
    assert.equal(await docker("inspect", "--format", "{{.State.Pid}} {{.State.Running}}", "lasting"), `${pid} true`);
    assert.equal(await page(port), "still\n");
    assert.equal(await docker("exec", "lasting", "echo", "here"), "here");
    await docker("restart", "-t", "0", "lasting");
    assert.equal(
      await eventually(
        () => page(port),
        (text) => text === "still\n",
      ),
      "still\n",
    );
    await docker("rm", "-f", "lasting");
    assert.match(await page(port), /fetch failed/);
  });

  test("stopped without containers nothing runs on, and the next start finds images and containers", async () => {
    assert.equal((await cli(["run", "--name", "finished", "busybox", "sh", "-c", "echo done; exit 3"])).status, 3);
    await engine.stop();
    assert.deepEqual(
      await eventually(
        () => processesOf(engine.user.uid),
        (pids) => pids.length === 0,
      ),
      [],
    );
    await engine.start();
    assert.equal(await docker("inspect", "--format", "{{.State.ExitCode}}", "finished"), "3");
    assert.equal(await docker("logs", "finished"), "done");
    assert.equal((await cli(["start", "-a", "finished"], { timeout: 30_000 })).status, 3);
  });

  test("a reset removes everything, files of subordinate ids included", async () => {
    await docker(
      "run",
      "-d",
      "--name",
      "last",
      "-v",
      "left:/left",
      "busybox",
      "sh",
      "-c",
      "touch /left/x; chown 5:5 /left/x; exec sleep 1000",
    );
    await engine.reset();
    assert.deepEqual(
      await eventually(
        () => processesOf(engine.user.uid),
        (pids) => pids.length === 0,
      ),
      [],
    );
    assert.deepEqual(existsSync(engine.root) ? readdirSync(engine.root) : [], []);
    assert.deepEqual(existsSync(engine.runDir) ? readdirSync(engine.runDir) : [], []);
  });
});
