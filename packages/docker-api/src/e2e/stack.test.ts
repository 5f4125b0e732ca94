import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { after, before, test } from "node:test";
import { loadServicesImage, repositoryRoot, runProgram, SERVICES_IMAGE, type TempDir, tempDir } from "@boxship/testkit";
import { type EngineUnderTest, startEngineUnderTest } from "../testing/engine-under-test.ts";

/** A web server, a database and a cache of Debian, and a job that must have ended before the web server starts. */
const PROJECT = `
services:
  db:
    image: ${SERVICES_IMAGE}
    user: postgres
    command:
      - sh
      - -ec
      - |
        [ -e /var/lib/postgresql/pg/PG_VERSION ] || initdb -D /var/lib/postgresql/pg --auth=trust >/dev/null
        exec postgres -D /var/lib/postgresql/pg -c listen_addresses='*' -c unix_socket_directories=/tmp -c hba_file=/hba.conf
    healthcheck: { test: "pg_isready -q -h 127.0.0.1", interval: 500ms, timeout: 5s, retries: 40 }
    volumes: [ "data:/var/lib/postgresql", "./hba.conf:/hba.conf:ro" ]
    shm_size: 32m
    networks: { back: { aliases: [ database ] } }
    stop_signal: SIGINT
  cache:
    image: ${SERVICES_IMAGE}
    command: redis-server --bind 0.0.0.0 --protected-mode no --save ""
    healthcheck: { test: [ "CMD", "redis-cli", "ping" ], interval: 500ms, retries: 20 }
    tmpfs: [ /var/lib/redis ]
    read_only: true
    networks: [ back ]
  migrate:
    image: ${SERVICES_IMAGE}
    command: psql -h database -U postgres -c "create table if not exists seen (n int)" -c "insert into seen values (1)"
    depends_on: { db: { condition: service_healthy } }
    networks: [ back ]
  web:
    image: ${SERVICES_IMAGE}
    command: nginx -g "daemon off; error_log stderr;"
    volumes: [ "./html:/var/www/html:ro" ]
    tmpfs: [ /var/log/nginx, /run ]
    ports: [ "127.0.0.1::80" ]
    environment: [ "GREETING=hello world" ]
    labels: { tier: front }
    depends_on:
      migrate: { condition: service_completed_successfully }
      cache: { condition: service_healthy }
    networks: [ front, back ]
    stop_grace_period: 2s
volumes: { data: { labels: { kept: "yes" } } }
networks: { front: {}, back: { internal: true } }
`;

const plugin = resolve(repositoryRoot, ".cache/clients/root/usr/libexec/docker/cli-plugins/docker-compose");

/** The line that Compose was rewritten between: 1.29 is in Python and knows API 1.38. */
const COMPOSES = [
  { name: "Compose 1.29", program: "/usr/bin/docker-compose", version: /\b1\.29/ },
  { name: "Compose 2", program: plugin, version: /v?2\.\d+/ },
] as const;

let engine: EngineUnderTest;
let directory: TempDir;
before(async () => {
  engine = await startEngineUnderTest();
  await loadServicesImage(engine);
  directory = tempDir("stack");
  await mkdir(directory.join("html"));
  await Promise.all([
    writeFile(directory.join("docker-compose.yml"), PROJECT),
    writeFile(directory.join("html", "index.html"), "served by nginx\n"),
    writeFile(directory.join("hba.conf"), "local all all trust\nhost all all all trust\n", { mode: 0o644 }),
  ]);
});
after(async () => {
  await engine[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

async function reasonToSkip(program: string, version: RegExp): Promise<string | undefined> {
  if (!existsSync(program)) return `${program} is not here: run scripts/setup.sh test`;
  const { stdout } = await runProgram([program, "version", "--short"]);
  return version.test(stdout) ? undefined : `${program} is version ${stdout.trim()}`;
}

for (const { name, program, version } of COMPOSES) {
  test(`${name}: a web server, a database and a cache come up in order, scale, keep their data and go`, {
    timeout: 240_000,
  }, async (t) => {
    const reason = await reasonToSkip(program, version);
    if (reason !== undefined) return t.skip(reason);
    const project = name.replace(/\W/g, "").toLowerCase();
    const env = { DOCKER_HOST: `unix://${engine.socketPath}`, COMPOSE_PROJECT_NAME: project };
    const compose = async (...args: string[]): Promise<string> => {
      const { status, stdout, stderr } = await runProgram([program, ...args], { cwd: directory.path, env });
      assert.equal(status, 0, `${name}: ${args.join(" ")}:\n${stdout}${stderr}`);
      return stdout.trim();
    };
    const inDatabase = (sql: string) =>
      compose("exec", "-T", "db", "psql", "-h", "127.0.0.1", "-U", "postgres", "-Atc", sql);

    await compose("up", "-d");
    const served = await (await fetch(`http://${await compose("port", "web", "80")}/`)).text();
    assert.equal(served, "served by nginx\n");
    assert.equal(await inDatabase("insert into seen values (42) returning n"), "42\nINSERT 0 1");
    assert.equal(await compose("exec", "-T", "cache", "redis-cli", "set", "k", "v"), "OK");
    assert.equal(await compose("exec", "-T", "web", "redis-cli", "-h", "cache", "get", "k"), "v");
    assert.equal(await compose("exec", "-T", "web", "printenv", "GREETING"), "hello world");
    assert.match(
      await compose("logs", "--no-color", "db"),
      /db[-_]1 +\| .*database system is ready to accept connections/,
    );
    assert.match(await compose("logs", "--no-color", "--tail", "1", "migrate"), /INSERT 0 1/);
    assert.match(await compose("ps"), /healthy/);
    assert.match(await compose("top", "cache"), /redis-server/);

    await compose("up", "-d", "--scale", "web=3", "--no-recreate");
    assert.equal((await compose("ps", "-q", "web")).split("\n").length, 3);
    await compose("restart", "-t", "5", "db");
    await compose("up", "-d", "--no-deps", "--force-recreate", "cache");
    assert.equal(await compose("exec", "-T", "cache", "redis-cli", "ping"), "PONG");
    await compose("pause", "cache");
    await compose("unpause", "cache");
    await compose("down");
    assert.deepEqual(await mine("containers/json?all=1&", project), []);

    await compose("up", "-d");
    assert.equal(await inDatabase("select n from seen where n = 42"), "42", "the volume outlives the stack");
    await compose("stop", "-t", "5");
    await compose("rm", "-f");
    await compose("down", "-v");
    for (const kind of ["containers/json?all=1&", "networks?", "volumes?"]) {
      assert.deepEqual(await mine(kind, project), []);
    }
  });
}

async function mine(kind: string, project: string): Promise<unknown> {
  const filters = encodeURIComponent(JSON.stringify({ label: [`com.docker.compose.project=${project}`] }));
  const answer = await engine.client.json("GET", `/${kind}filters=${filters}`);
  return Array.isArray(answer) ? answer : ((answer as { Volumes: unknown }).Volumes ?? []);
}
