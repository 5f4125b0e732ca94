import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { loadServicesImage, makeTar, SERVICES_IMAGE } from "@boxship/testkit";
import { type EngineUnderTest, startEngineUnderTest } from "../testing/engine-under-test.ts";

const REAPER_IMAGE = "e2e/reaper:1";

let engine: EngineUnderTest;
let library: typeof import("testcontainers");
before(async () => {
  engine = await startEngineUnderTest();
  await loadServicesImage(engine);
  // It looks at the environment when it is first used. The patterns below clean up after themselves.
  Object.assign(process.env, {
    DOCKER_HOST: `unix://${engine.socketPath}`,
    TESTCONTAINERS_RYUK_DISABLED: "true",
    TESTCONTAINERS_REUSE_ENABLE: "true",
  });
  library = await import("testcontainers");
});
after(() => engine[Symbol.asyncDispose]());

const NGINX = ["nginx", "-g", "daemon off; error_log stderr;"];
const REDIS = ["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no"];

test("wait strategies: listening port, log line, HTTP, health check, command, one shot, all of them", {
  timeout: 90_000,
}, async () => {
  const { GenericContainer, Wait } = library;
  const start = (command: readonly string[]) => new GenericContainer(SERVICES_IMAGE).withCommand([...command]);
  await using _port = await start(REDIS).withExposedPorts(6379).withWaitStrategy(Wait.forListeningPorts()).start();
  await using _log = await start(REDIS).withWaitStrategy(Wait.forLogMessage("Ready to accept connections")).start();
  await using web = await start(NGINX)
    .withExposedPorts(80)
    .withCopyContentToContainer([{ content: "<p>here</p>", target: "/var/www/html/index.html" }])
    .withWaitStrategy(
      Wait.forHttp("/", 80)
        .forStatusCode(200)
        .forResponsePredicate((body) => body.includes("here")),
    )
    .start();
  const answer = await fetch(`http://${web.getHost()}:${web.getMappedPort(80)}/`);
  assert.equal(await answer.text(), "<p>here</p>");
  await using _health = await start(REDIS)
    .withHealthCheck({ test: ["CMD-SHELL", "redis-cli ping"], interval: 200, timeout: 5000, retries: 20 })
    .withWaitStrategy(Wait.forHealthCheck())
    .start();
  await using _command = await start(REDIS).withWaitStrategy(Wait.forSuccessfulCommand("redis-cli ping")).start();
  await using _all = await start(REDIS)
    .withExposedPorts(6379)
    .withWaitStrategy(Wait.forAll([Wait.forListeningPorts(), Wait.forLogMessage(/Ready/)]))
    .start();
  const shot = await start(["sh", "-c", "echo done"]).withWaitStrategy(Wait.forOneShotStartup()).start();
  assert.equal(await text(await shot.logs()), "done\n");
  await shot.stop();
  await assert.rejects(
    start(["sleep", "60"]).withWaitStrategy(Wait.forLogMessage("never said").withStartupTimeout(300)).start(),
    /not received after 300ms/,
  );
});

test("exec, copies in and out, logs, restart, commit, resources", { timeout: 90_000 }, async () => {
  const { GenericContainer } = library;
  const consumed: string[] = [];
  await using started = await new GenericContainer(SERVICES_IMAGE)
    .withCommand(["sh", "-c", "echo started; exec sleep 600"])
    .withEnvironment({ GREETING: "hello" })
    .withLabels({ mine: "yes" })
    .withTmpFs({ "/scratch": "rw,size=8m" })
    .withUlimits({ nofile: { soft: 1000, hard: 1000 } })
    .withResourcesQuota({ memory: 0.25, cpu: 1 })
    .withSharedMemorySize(16 << 20)
    .withWorkingDir("/srv")
    .withUser("nobody")
    .withHostname("box")
    .withExtraHosts([{ host: "other", ipAddress: "10.1.2.3" }])
    .withLogConsumer((stream) => stream.on("data", (line: Buffer) => consumed.push(line.toString())))
    .start();
  const script = "pwd; id -un; hostname; echo $GREETING; ulimit -n; getent hosts other | cut -d' ' -f1; echo bad >&2";
  const { stdout, stderr, exitCode } = await started.exec(["sh", "-c", `${script}; exit 5`]);
  assert.deepEqual(stdout.trim().split("\n"), ["/srv", "nobody", "box", "hello", "1000", "10.1.2.3"]);
  assert.deepEqual([stderr, exitCode], ["bad\n", 5]);
  const asRoot = await started.exec("id -u", { user: "root", workingDir: "/", env: { A: "b" } });
  assert.equal(asRoot.output.trim(), "0");
  await started.copyContentToContainer([{ content: "text", target: "/tmp/a", mode: 0o600 }]);
  await started.copyFilesToContainer([{ source: import.meta.filename, target: "/tmp/b.ts" }]);
  await started.copyArchiveToContainer(Readable.from([makeTar([{ name: "c", content: "tarred" }])]), "/tmp");
  const listed = await started.exec("stat -c %a:%n /tmp/a /tmp/b.ts /tmp/c", { user: "root" });
  assert.match(listed.output, /^600:\/tmp\/a\n\d+:\/tmp\/b.ts\n644:\/tmp\/c/);
  assert.ok((await text(await started.copyArchiveFromContainer("/tmp/c"))).includes("tarred"));
  await started.restart({ timeout: 0 });
  // They follow: the stream goes on as long as the container.
  const following = await started.logs({ tail: 1 });
  assert.match(((await once(following, "data")) as [Buffer | string])[0].toString(), /started/);
  following.destroy();
  assert.ok(consumed.some((line) => line.includes("started")));
  const image = await started.commit({
    repo: "e2e/committed",
    tag: "1",
    changes: ["ENV MORE=yes"],
    deleteOnExit: false,
  });
  assert.match(image, /^(?:sha256:)?[0-9a-f]{64}$/);
  await using more = await new GenericContainer("e2e/committed:1").withCommand(["sleep", "600"]).start();
  assert.equal((await more.exec("printenv MORE")).output.trim(), "yes");
});

test("networks with aliases, a database behind one, reuse", { timeout: 90_000 }, async () => {
  const { GenericContainer, Network, Wait } = library;
  await using network = await new Network().start();
  await using cache = await new GenericContainer(SERVICES_IMAGE)
    .withCommand(REDIS)
    .withNetwork(network)
    .withNetworkAliases("cache")
    .withExposedPorts(6379)
    .start();
  await using client = await new GenericContainer(SERVICES_IMAGE)
    .withCommand(["sleep", "600"])
    .withNetwork(network)
    .start();
  assert.equal((await client.exec("redis-cli -h cache set k v")).output.trim(), "OK");
  assert.match(cache.getIpAddress(network.getName()), /^\d+\.\d+\.\d+\.\d+$/);

  const database = "initdb -D /tmp/pg --auth=trust && exec postgres -D /tmp/pg -c unix_socket_directories=/tmp";
  await using postgres = await new GenericContainer(SERVICES_IMAGE)
    .withUser("postgres")
    .withCommand(["sh", "-c", database])
    .withWaitStrategy(Wait.forLogMessage(/database system is ready to accept connections/))
    .start();
  const { output } = await postgres.exec(["psql", "-h", "/tmp", "-U", "postgres", "-Atc", "select 6*7"]);
  assert.equal(output.trim(), "42");

  const reused = () => new GenericContainer(SERVICES_IMAGE).withCommand(["sleep", "600"]).withReuse().start();
  const first = await reused();
  assert.equal((await reused()).getId(), first.getId());
  await first.stop();
});

test("an image that does what the reaper does removes what a killed test run has left", {
  timeout: 120_000,
}, async () => {
  const script = await readFile(join(import.meta.dirname, "../testing/reaper.pl"), "utf8");
  const [docker] = engine.docker;
  assert.ok(docker !== undefined);
  await docker.ok(["create", "--name", "reaper-made", SERVICES_IMAGE]);
  await docker.ok(["cp", "-", "reaper-made:/"], { input: makeTar([{ name: "reaper.pl", content: script }]) });
  await docker.ok(["commit", "-c", 'CMD ["perl", "/reaper.pl"]', "reaper-made", REAPER_IMAGE]);
  await docker.ok(["rm", "reaper-made"]);
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    TESTCONTAINERS_RYUK_DISABLED: "false",
    RYUK_CONTAINER_IMAGE: REAPER_IMAGE,
    TESTCONTAINERS_RYUK_RECONNECTION_TIMEOUT: "1s",
  };
  const program = join(import.meta.dirname, "../testing/testcontainers-run.ts");
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", program], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [said] = (await Promise.race([once(child.stdout, "data"), once(child, "exit")])) as [Buffer];
  const { network, container } = JSON.parse(said.toString()) as Record<"network" | "container", string>;
  assert.equal((await engine.client.call("GET", `/containers/${container}/json`)).status, 200);
  child.kill("SIGKILL");
  await once(child, "exit");
  const gone = async () => (await engine.client.call("GET", `/networks/${network}`)).status === 404;
  for (const deadline = Date.now() + 30_000; !(await gone()); ) {
    assert.ok(Date.now() < deadline, await docker.ok(["ps", "-a", "--no-trunc"]));
    await new Promise((done) => setTimeout(done, 100));
  }
  assert.equal((await engine.client.call("GET", `/containers/${container}/json`)).status, 404);
});
