import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { chmod, rm, writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { hungMount, type TempDir, tempDir } from "@boxship/testkit";
import { type DockerClient, type EngineUnderTest, IMAGE, startEngineUnderTest } from "../testing/engine-under-test.ts";

const reference = process.env["BOXSHIP_TEST_REFERENCE"] === "dockerd";

/** runc, except that it stops itself in `create` and `exec` while there is a file `hang`. */
const SLEEPER = `#!/bin/sh
for word; do
  case "$word" in create | exec) [ -e DIRECTORY/hang ] && echo $$ > DIRECTORY/pid && kill -STOP $$ ;; esac
done
exec runc "$@"
`;

let engine: EngineUnderTest;
let docker: DockerClient;
let directory: TempDir;
let serial = 0;

async function create(hostConfig: object): Promise<string> {
  const { Id } = await engine.client.json<{ Id: string }>("POST", `/containers/create?name=hang-${serial++}`, {
    Image: IMAGE,
    Cmd: ["sleep", "1000"],
    HostConfig: { NetworkMode: "none", ...hostConfig },
  });
  return Id;
}

/** What everybody else does meanwhile, each within a second or so. */
async function othersWork(): Promise<void> {
  const started = performance.now();
  await engine.client.json("GET", "/containers/json?all=1&size=1");
  await engine.client.json("GET", "/info");
  assert.equal(await docker.ok(["run", "--rm", "--network", "none", IMAGE, "echo", "hello"]), "hello");
  assert.equal(await docker.ok(["exec", "other", "echo", "hello"]), "hello");
  await docker.ok(["ps", "-a"]);
  const took = performance.now() - started;
  assert.ok(took < 10_000, `the others took ${took} ms`);
}

async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 20_000; !condition(); await delay(20))
    if (Date.now() > end) throw new Error("too late");
}

const bundleOf = (id: string) => `/run/boxship-${engine.name}/runtime/containers/${id}`;

describe("a container that hangs holds nobody else up", { timeout: 240_000, skip: reference }, () => {
  before(async () => {
    directory = tempDir("hang");
    const runtime = directory.join("sleeper");
    await writeFile(runtime, SLEEPER.replaceAll("DIRECTORY", directory.path));
    await chmod(runtime, 0o755);
    await writeFile(directory.join("config.yaml"), `runtimes:\n  sleeper: ${runtime}\n`);
    engine = await startEngineUnderTest({ flags: ["--config", directory.join("config.yaml")] });
    [docker] = engine.docker as readonly [DockerClient];
    await docker.ok(["run", "-d", "--name", "other", "--network", "none", IMAGE, "sleep", "1000"]);
  });
  after(async () => {
    await engine[Symbol.asyncDispose]();
    await directory[Symbol.asyncDispose]();
  });

  test("a runtime that was stopped while it creates: the container can be removed", async () => {
    await writeFile(directory.join("hang"), "");
    const id = await create({ Runtime: "sleeper" });
    const start = engine.client.call("POST", `/containers/${id}/start`);
    await until(() => existsSync(directory.join("pid")));
    const pid = readFileSync(directory.join("pid"), "utf8").trim();
    await othersWork();
    const { State } = await engine.client.json<{ State: { Status: string } }>("GET", `/containers/${id}/json`);
    assert.equal(State.Status, "created");
    await engine.client.json("DELETE", `/containers/${id}?force=1`);
    assert.match((await start).text, /is being removed/);
    await until(() => !existsSync(bundleOf(id)));
    await until(() => !existsSync(`/proc/${pid}`));
    await rm(directory.join("hang"));
    await rm(directory.join("pid"));
  });

  test("a runtime that was stopped while it executes", async () => {
    const id = await create({ Runtime: "sleeper" });
    await engine.client.json("POST", `/containers/${id}/start`);
    await writeFile(directory.join("hang"), "");
    const exec = await engine.client.json<{ Id: string }>("POST", `/containers/${id}/exec`, { Cmd: ["true"] });
    const started = engine.client.call("POST", `/exec/${exec.Id}/start`, { body: { Detach: true } });
    await until(() => existsSync(directory.join("pid")));
    const pid = Number(readFileSync(directory.join("pid"), "utf8"));
    await othersWork();
    await rm(directory.join("hang"));
    await engine.client.json("POST", `/containers/${id}/stop?t=0`);
    process.kill(pid, "SIGKILL");
    assert.ok((await started).status >= 400);
    await engine.client.json("DELETE", `/containers/${id}`);
    await rm(directory.join("pid"));
  });

  // They wait for ten seconds to pass; none is in the way of another.
  describe("at the same time", { concurrency: true }, () => {
    test("mounts whose server does not answer, more of them than Node has threads", async () => {
      const mounted = directory.join("mounted");
      const hung = await hungMount(mounted);
      try {
        const starts = Array.from({ length: 6 }, async (_, index) => {
          const id = await create({ Binds: [`${mounted}${index % 2 === 0 ? "" : "/below"}:/data`] });
          return engine.client.call("POST", `/containers/${id}/start`);
        });
        await delay(500);
        await othersWork();
        for (const { status, text } of await Promise.all(starts)) {
          assert.equal(status, 504, text);
          assert.match(text, /the file system of .*mounted.* does not answer/);
        }
        await othersWork();
      } finally {
        hung[Symbol.dispose]();
      }
    });

    test("one that gets a mount that stops answering once it runs", async () => {
      const shared = directory.join("shared");
      const hung = await hungMount(`${shared}/late`);
      const id = await create({ Mounts: [{ Type: "bind", Source: shared, Target: "/data" }] });
      try {
        await engine.client.json("POST", `/containers/${id}/start`);
        const stuck = docker.run(["exec", id, "ls", "/data/late"]);
        await delay(300);
        await othersWork();
        await docker.ok(["rm", "-f", id]);
        await stuck;
      } finally {
        hung[Symbol.dispose]();
      }
    });

    test("a monitor that was stopped: the container can be ended and removed", async () => {
      const id = await create({});
      await engine.client.json("POST", `/containers/${id}/start`);
      const monitor = Number(readFileSync(`${bundleOf(id)}/conmon.pid`, "utf8"));
      process.kill(monitor, "SIGSTOP");
      const removed = engine.client.call("DELETE", `/containers/${id}?force=1`);
      await othersWork();
      assert.equal((await removed).status, 204);
      await until(() => !existsSync(`/proc/${monitor}`));
    });
  });
});
