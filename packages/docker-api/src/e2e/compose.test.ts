import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { repositoryRoot, runProgram, tempDir } from "@boxship/testkit";
import { type EngineUnderTest, IMAGE, startEngineUnderTest } from "../testing/engine-under-test.ts";

const compose = resolve(repositoryRoot, ".cache/clients/root/usr/libexec/docker/cli-plugins/docker-compose");

const PROJECT = `
services:
  db:
    image: ${IMAGE}
    command: sh -c "while :; do echo pong | nc -l -p 5000; done"
    healthcheck: { test: ["CMD", "true"], interval: 500ms, retries: 3 }
    volumes: [ "data:/data" ]
    stop_grace_period: 1s
  web:
    image: ${IMAGE}
    command: sh -c "nc db 5000; echo ready; sleep 1000"
    depends_on: { db: { condition: service_healthy } }
    ports: [ "127.0.0.1::80" ]
    environment: { GREETING: hello }
    stop_grace_period: 1s
volumes: { data: {} }
`;

const skip = existsSync(compose) ? false : "no current docker-compose is here: run scripts/setup.sh test";

let engine: EngineUnderTest;
before(async () => {
  engine = await startEngineUnderTest();
});
after(() => engine[Symbol.asyncDispose]());

test("Compose: up with conditions, ps, logs, exec, scale, down", {
  timeout: 120_000,
  skip,
}, async () => {
  await using directory = tempDir("compose");
  writeFileSync(directory.join("compose.yaml"), PROJECT);
  const run = async (...args: string[]) => {
    const env = { DOCKER_HOST: `unix://${engine.socketPath}` };
    const { status, stdout, stderr } = await runProgram([compose, "-p", "e2e", ...args], { cwd: directory.path, env });
    assert.equal(status, 0, `docker compose ${args.join(" ")}: ${stdout}${stderr}`);
    return stdout;
  };
  await run("up", "-d");
  const services = (await run("ps", "--format", "{{.Service}} {{.State}} {{.Health}}")).trim().split("\n").sort();
  assert.deepEqual(services, ["db running healthy", "web running"]);
  for (let attempt = 0; attempt < 50 && !(await run("logs", "web")).includes("ready"); attempt++);
  assert.match(await run("logs", "--no-color", "web"), /pong\n[^\n]*ready/);
  assert.match(await run("exec", "-T", "web", "env"), /GREETING=hello/);
  assert.match(await run("port", "web", "80"), /^127\.0\.0\.1:\d+\n$/);
  await run("up", "-d", "--scale", "web=2");
  assert.equal((await run("ps", "-q", "web")).trim().split("\n").length, 2);
  await run("down", "-v");
  assert.deepEqual(await engine.client.json("GET", "/containers/json?all=1"), []);
  const { Volumes } = await engine.client.json<{ Volumes: unknown[] }>("GET", "/volumes");
  assert.deepEqual(Volumes, []);
});

const WATCHED = `
services:
  web:
    build: .
    network_mode: none
    init: true
    command: sh -c "cat /conf/c; exec sleep 1000"
    stop_grace_period: 1s
    develop:
      watch:
        - { action: sync, path: ./src, target: /app }
        - { action: sync+restart, path: ./conf, target: /conf }
        - { action: rebuild, path: ./part }
`;

test("Compose watches: files are copied and removed, a service starts again, an image is built anew", {
  timeout: 120_000,
  skip,
}, async () => {
  await using directory = tempDir("watch");
  for (const name of ["src", "conf"]) mkdirSync(directory.join(name));
  const files = {
    "compose.yaml": WATCHED,
    Dockerfile: `FROM ${IMAGE}\nCOPY part /part\nCOPY src /app\nCOPY conf /conf\n`,
    part: "first",
    "src/old": "",
    "conf/c": "before\n",
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(directory.join(name), content);
  const options = {
    cwd: directory.path,
    env: { ...process.env, DOCKER_HOST: `unix://${engine.socketPath}`, COMPOSE_PROJECT_NAME: "watched" },
  };
  const run = async (...args: string[]) => {
    const { status, stdout, stderr } = await runProgram([compose, ...args], options);
    return status === 0 ? stdout.trim() : `${status}: ${stdout}${stderr}`;
  };
  const until = async (expected: RegExp, ...args: string[]) => {
    for (;;) {
      const seen = await run(...args);
      if (expected.test(seen)) return;
      await delay(50);
    }
  };
  assert.doesNotMatch(await run("up", "-d", "--build"), /^\d+: /);
  const first = await run("ps", "-q", "web");
  assert.match(first, /^[0-9a-f]{64}$/);
  const watch = spawn(compose, ["watch", "--no-up"], { ...options, stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(watch, "exit");
  try {
    await new Promise<void>((enabled) => {
      for (const stream of [watch.stdout, watch.stderr]) {
        stream.on("data", (text: Buffer) => /watch enabled/i.test(text.toString()) && enabled());
      }
    });
    writeFileSync(directory.join("src/new"), "");
    rmSync(directory.join("src/old"));
    await until(/^new$/, "exec", "-T", "web", "ls", "/app");
    writeFileSync(directory.join("conf/c"), "after\n");
    await until(/before\nafter$/, "logs", "--no-log-prefix", "web");
    assert.equal(await run("ps", "-q", "web"), first);
    writeFileSync(directory.join("part"), "second");
    await until(/^second$/, "exec", "-T", "web", "cat", "/part");
    assert.notEqual(await run("ps", "-q", "web"), first);
  } finally {
    watch.kill("SIGINT");
    await ended;
    await run("down", "--rmi", "local", "-t", "0");
  }
});
