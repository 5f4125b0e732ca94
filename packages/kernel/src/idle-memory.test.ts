import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { test } from "node:test";
import { FakeClock } from "@boxship/base";
import { daemonFlags } from "@boxship/base/entry";
import { IdleMemory } from "./idle-memory.ts";

test("memory is released once after each spell of work, and no timer runs while nothing is asked", async () => {
  const clock = new FakeClock();
  let released = 0;
  let spent = 0;
  using idle = new IdleMemory(clock, { release: () => released++, spent: () => spent });
  assert.equal(clock.waiting, 0);
  idle.work();
  await clock.advance(4000);
  idle.work();
  await clock.advance(4000);
  assert.equal(released, 0);
  await clock.advance(1000);
  assert.deepEqual([released, clock.waiting], [1, 0]);
  await clock.advance(60_000);
  assert.equal(released, 1);
  spent += 1000;
  idle.work();
  await clock.advance(5000);
  assert.equal(released, 2);
});

test("a spell that cost less than a collection does is left until more has come together", async () => {
  const clock = new FakeClock();
  let released = 0;
  let spent = 0;
  // The collection itself takes time, which is no work.
  const release = (): void => void (released++, (spent += 80));
  using idle = new IdleMemory(clock, { release, spent: () => spent });
  for (let lease = 0; lease <= 12; lease++) {
    spent += 40;
    idle.work();
    await clock.advance(10_000);
    assert.equal(released, lease < 5 ? 1 : lease < 10 ? 2 : 3, `after ${lease}`);
    assert.equal(clock.waiting, 0);
  }
  const before = released;
  idle.rareWork();
  await clock.advance(10_000);
  assert.equal(released, before + 1, "rare work is worth it in any case");
});

test("a request that is worked on holds it up until its end, one that only waits does not, also when it leaves HTTP", async () => {
  const clock = new FakeClock();
  let released = 0;
  let spent = 0;
  using idle = new IdleMemory(clock, { release: () => released++, spent: () => spent });
  await using server = createServer().on("upgrade", (_request, socket) => {
    socket.on("error", () => {}).write("HTTP/1.1 101 Switching Protocols\r\n\r\n");
    socket.on("data", () => socket.end());
  });
  idle.watch(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  await clock.advance(5000);
  assert.equal(released, 1);
  const { port } = server.address() as AddressInfo;
  const client = connect(port, "127.0.0.1");
  client.write("POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
  await once(client, "data");
  for (let round = 0; round < 3; round++) {
    spent += 2000;
    await clock.advance(5000);
    assert.equal(released, 1, "the connection is busy");
  }
  await clock.advance(5000);
  assert.deepEqual([released, clock.waiting], [2, 0]);
  client.end("x");
  await once(client.resume(), "close");
  while (clock.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
  spent += 2000;
  await clock.advance(5000);
  assert.equal(released, 3, "what is done after the last request is its own tidying up");
});

test("a server that takes no upgrades answers those who ask for one", async () => {
  using idle = new IdleMemory(new FakeClock(), { release: () => {} });
  await using server = createServer((_request, response) => response.end());
  idle.watch(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  client.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  const [answer] = (await once(client, "data", { signal: AbortSignal.timeout(20_000) })) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1.1 200 /);
  client.destroy();
});

test("what worker threads and the main one have used is given back, not kept for later", { timeout: 60_000 }, () => {
  // In a process of its own, with the flags of the daemon. Each thread fills about 40 MB.
  const script = `
    const { releaseMemory } = await import(process.argv[1]);
    const { Worker } = await import("node:worker_threads");
    const fill = "const kept = []; for (let at = 0; at < 200_000; at++) kept.push({ at, text: String(at), list: [at] })";
    await releaseMemory();
    const before = process.memoryUsage.rss();
    for (let round = 0; round < 2; round++) {
      const workers = [1, 2, 3].map(() => new Worker(fill, { eval: true }));
      await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once("exit", resolve))));
    }
    (0, eval)(fill);
    await releaseMemory();
    console.log(Math.round((process.memoryUsage.rss() - before) / 1e6));`;
  const module = new URL("./idle-memory.ts", import.meta.url).href;
  const args = [...daemonFlags, "--input-type=module", "--eval", script, "--", module];
  const kept = Number(execFileSync(process.execPath, args, { encoding: "utf8" }));
  assert.ok(kept < 30, `${kept} MB more than before`);
});
