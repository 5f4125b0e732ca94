import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import { repositoryRoot, runProgram, tempDir } from "@boxship/testkit";
import { IMAGE, startEngineUnderTest } from "../testing/engine-under-test.ts";

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

test("Compose: up with conditions, ps, logs, exec, scale, down", {
  timeout: 120_000,
  skip: existsSync(compose) ? false : "no current docker-compose is here: run scripts/setup.sh test",
}, async () => {
  await using directory = tempDir("compose");
  await using engine = await startEngineUnderTest();
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
