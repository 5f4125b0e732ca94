import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { appendFileSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Boxship, busyboxEntries, pushFixture, startBoxship, startRegistry, tempDir } from "@boxship/testkit";

interface Created {
  readonly Id: string;
}

/** Creates and starts a container. */
async function run(engine: Boxship, image: string, script: string, host: object = {}): Promise<string> {
  const { Id } = await engine.client.json<Created>("POST", "/containers/create", {
    Image: image,
    Cmd: ["sh", "-c", script],
    HostConfig: { NetworkMode: "none", ...host },
  });
  await engine.client.json("POST", `/containers/${Id}/start`);
  return Id;
}

const stateOf = async (engine: Boxship, id: string) =>
  (await engine.client.json<{ State: { Status: string; ExitCode: number } }>("GET", `/containers/${id}/json`)).State;

/** An ext4, on which directories take space, too; elsewhere in memory. */
function mountSmall(image: string, target: string): void {
  writeFileSync(image, "");
  truncateSync(image, 40 << 20);
  const commands = [
    ["mkfs.ext4", "-q", "-m", "0", image],
    ["mount", "-o", "loop", image, target],
  ];
  if (commands.every(([command = "", ...args]) => spawnSync(command, args).status === 0)) return;
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=32m", "boxship", target]);
}

test("on a full disk containers end, stop and go all the same, and what happened is kept", {
  timeout: 120_000,
}, async () => {
  await using directory = tempDir("full");
  const disk = directory.join("disk");
  mkdirSync(disk);
  mountSmall(directory.join("image"), disk);
  const name = `bx${randomBytes(3).toString("hex")}`;
  mkdirSync(`/run/boxship-${name}`);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "boxship", `/run/boxship-${name}`]);
  await using registry = await startRegistry();
  const image = { layers: [{ entries: await busyboxEntries() }] };
  const { reference } = await pushFixture(registry, "full/busybox:1", image);
  await using engine = await startBoxship({ name, root: join(disk, "root") });
  await engine.client.call("POST", `/images/create?fromImage=${encodeURIComponent(reference)}`);
  const ready = async (id: string) => {
    while ((await engine.client.call("GET", `/containers/${id}/logs?stdout=1`)).text === "") await delay(20);
  };
  const sleeping = await run(engine, reference, "trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done", {
    RestartPolicy: { Name: "unless-stopped" },
  });
  const waiting = await run(engine, reference, "trap 'exit 5' USR1; echo ready; while :; do sleep 0.05; done");
  await Promise.all([ready(sleeping), ready(waiting)]);
  const filler = await run(engine, reference, "dd if=/dev/zero of=/big bs=64k; exit 3");
  const wait = (id: string) => engine.client.json<{ StatusCode: number }>("POST", `/containers/${id}/wait`);
  assert.equal((await wait(filler)).StatusCode, 3);
  assert.deepEqual((await stateOf(engine, filler)).Status, "exited");
  await engine.crash();
  await engine.start();
  assert.equal((await stateOf(engine, filler)).ExitCode, 3, "nothing could be written about its end");
  for (const id of [sleeping, waiting]) assert.equal((await stateOf(engine, id)).Status, "running");

  const ended = wait(waiting);
  await engine.client.json("POST", `/containers/${waiting}/kill?signal=USR1`);
  assert.equal((await ended).StatusCode, 5);
  await engine.client.json("POST", `/containers/${sleeping}/stop`);
  assert.deepEqual(await stateOf(engine, sleeping), { ...(await stateOf(engine, sleeping)), Status: "exited" });
  // What a start throws away made room.
  const rest = join(disk, "rest");
  for (const size of [64 << 10, 1 << 10]) {
    assert.throws(
      () => {
        for (;;) appendFileSync(rest, Buffer.alloc(size));
      },
      { code: "ENOSPC" },
    );
  }
  const volume = await engine.client.call("POST", "/volumes/create", { body: { Name: "more" } });
  assert.equal(volume.status, 500);
  assert.match(volume.text, /no space left/);
  const network = await engine.client.call("POST", "/networks/create", { body: { Name: "more" } });
  assert.match(network.text, /no space left/);

  rmSync(rest);
  assert.equal((await engine.client.call("DELETE", `/containers/${filler}`)).status, 204);
  // Now there is room: what was only noted is written.
  const records = [waiting, sleeping].map((id) => join(engine.root, "containers", id, "container.json"));
  while (!records.every((path) => readFileSync(path, "utf8").includes('"exited"'))) await delay(50);
  await engine.crash();
  await engine.start();
  assert.deepEqual(
    [(await stateOf(engine, waiting)).ExitCode, (await stateOf(engine, sleeping)).ExitCode],
    [5, 9],
    "after a new start",
  );
  assert.equal((await engine.client.call("GET", `/containers/${filler}/json`)).status, 404);
  const again = await run(engine, reference, "exit 0");
  assert.equal((await wait(again)).StatusCode, 0);
  await fillRunDirectory(engine, reference);
});

/** What needs room for run-time state is refused with its name, the rest works, and nothing is left over. */
async function fillRunDirectory(engine: Boxship, image: string): Promise<void> {
  const { client, runDir } = engine;
  const running = await run(engine, image, "exec sleep 1000");
  const fill = (): void => {
    assert.throws(() => appendFileSync(join(runDir, "filler"), Buffer.alloc(2 << 20)), { code: "ENOSPC" });
  };
  const words = /no space left for (?:the files of the network|\/run\/boxship-)/;
  for (const network of ["none", "bridge"]) {
    fill();
    await assert.rejects(run(engine, image, "exit 0", { NetworkMode: network }), words);
  }
  const exec = await client.json<Created>("POST", `/containers/${running}/exec`, { Cmd: ["true"], AttachStdout: true });
  fill();
  assert.match((await client.call("POST", `/exec/${exec.Id}/start`, { body: {} })).text, words);
  await client.json("POST", `/containers/${running}/stop?t=0`);
  assert.equal((await stateOf(engine, running)).ExitCode, 137);
  fill();
  assert.match((await client.call("POST", `/containers/${running}/start`)).text, words);
  for (const { Id } of await client.json<Created[]>("GET", "/containers/json?all=1")) {
    await client.json("DELETE", `/containers/${Id}?force=1`);
  }
  rmSync(join(runDir, "filler"));
  const last = await run(engine, image, "exit 4", { NetworkMode: "bridge" });
  assert.equal((await client.json<{ StatusCode: number }>("POST", `/containers/${last}/wait`)).StatusCode, 4);
}
