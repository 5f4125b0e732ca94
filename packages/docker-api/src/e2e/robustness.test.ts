import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type EngineUnderTest, IMAGE, startEngineUnderTest } from "../testing/engine-under-test.ts";

let engine: EngineUnderTest;
let container = "";

/** Descriptors that the daemon has open. */
const descriptors = () => readdirSync(`/proc/${engine.pid}/fd`).length;

/** Megabytes of memory that the daemon has. */
const resident = () =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${engine.pid}/status`, "utf8"))?.[1] ?? 0) >> 10;

async function settles(limit: number): Promise<number> {
  for (let attempt = 0; attempt < 100 && descriptors() > limit; attempt++) await delay(50);
  return descriptors();
}

/** Sends a request as it is, and resolves when the head of the answer has come. */
async function raw(request: string): Promise<Socket> {
  const socket = connect({ path: engine.socketPath, allowHalfOpen: true });
  socket.on("error", () => {});
  socket.write(request);
  const [head] = (await once(socket, "data")) as [Buffer];
  assert.match(head.toString("latin1"), /^HTTP\/1\.1 (101|200) /);
  return socket;
}

/** The text of the first frame of a multiplexed stream. */
const firstFrame = (bytes: Buffer): string => bytes.toString("utf8", 8, 8 + bytes.readUInt32BE(4));

describe("bad luck, with a real engine", { timeout: 300_000 }, () => {
  before(async () => {
    engine = await startEngineUnderTest();
    const body = { Image: IMAGE, Cmd: ["sleep", "1000"], OpenStdin: true };
    ({ Id: container } = await engine.client.json<{ Id: string }>("POST", "/containers/create", body));
    await engine.client.json("POST", `/containers/${container}/start`);
  });
  after(() => engine[Symbol.asyncDispose]());

  test("probes that end with their containers", async () => {
    const probed = { Test: ["CMD", "sleep", "1000"], Interval: 1_000_000 };
    const round = async () => {
      const body = { Image: IMAGE, Cmd: ["sleep", "1000"], Healthcheck: probed, NetworkMode: "none" };
      const { Id: id } = await engine.client.json<{ Id: string }>("POST", "/containers/create", body);
      await engine.client.json("POST", `/containers/${id}/start`);
      const probes = async () =>
        (await engine.client.json<{ ExecIDs: string[] | null }>("GET", `/containers/${id}/json`)).ExecIDs ?? [];
      while ((await probes()).length === 0) await delay(5);
      await engine.client.json("DELETE", `/containers/${id}?force=1`);
    };
    for (let count = 0; count < 4; count++) await Promise.all(Array.from({ length: 4 }, round));
    assert.equal((await engine.client.call("GET", "/_ping")).status, 200);
  });

  test("500 requests at once", async () => {
    const paths = [
      "/_ping",
      "/containers/json?all=1",
      `/containers/${container}/json`,
      "/images/json",
      "/info",
      "/networks",
    ];
    const answers = await Promise.all(
      Array.from({ length: 500 }, (_, index) => engine.client.call("GET", paths[index % paths.length] ?? "/")),
    );
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  });

  test("streams that are cut leave nothing behind", async () => {
    await delay(300);
    const idle = descriptors();
    const heads = [
      `POST /v1.41/containers/${container}/attach?stream=1&stdout=1&stderr=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
      `POST /v1.41/containers/${container}/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: x\r\n\r\n`,
      `GET /v1.41/containers/${container}/logs?stdout=1&follow=1 HTTP/1.1\r\nHost: x\r\n\r\n`,
      `POST /v1.41/containers/${container}/wait HTTP/1.1\r\nHost: x\r\n\r\n`,
      `GET /v1.41/containers/${container}/stats HTTP/1.1\r\nHost: x\r\n\r\n`,
      "GET /v1.41/events HTTP/1.1\r\nHost: x\r\n\r\n",
    ];
    const sockets = await Promise.all(
      Array.from({ length: 120 }, (_, index) => raw(heads[index % heads.length] ?? "")),
    );
    assert.ok(descriptors() > idle + 100);
    for (const [index, socket] of sockets.entries()) {
      if (index % 3 === 0) socket.destroy();
      else socket.end(() => socket.destroy());
    }
    const left = await settles(idle + 5);
    assert.ok(left <= idle + 5, `${left} descriptors are open, ${idle} were before`);
    const { State } = await engine.client.json<{ State: { Running: boolean } }>("GET", `/containers/${container}/json`);
    assert.equal(State.Running, true);
  });

  test("2,000 attached clients at once all hear the same, and leave neither descriptors nor memory", async (t) => {
    const body = { Image: IMAGE, Cmd: ["cat"], OpenStdin: true };
    const { Id } = await engine.client.json<{ Id: string }>("POST", "/containers/create", body);
    await engine.client.json("POST", `/containers/${Id}/start`);
    const head = `POST /containers/${Id}/attach?stream=1&stdout=1&stdin=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`;
    const idle = descriptors();
    const round = async () => {
      const sockets: Socket[] = [];
      while (sockets.length < 2000) sockets.push(...(await Promise.all(Array.from({ length: 100 }, () => raw(head)))));
      const heard = sockets.map((socket) => once(socket, "data"));
      sockets[0]?.write("hello, all\n");
      const frames = (await Promise.all(heard)).map(([chunk]) => firstFrame(chunk as Buffer));
      assert.deepEqual([...new Set(frames)], ["hello, all\n"]);
      for (const socket of sockets) socket.destroy();
      const left = await settles(idle + 5);
      assert.ok(left <= idle + 5, `${left} descriptors are open, ${idle} were before`);
    };
    const fresh = resident();
    for (let number = 0; number < 3; number++) await round();
    const busy = resident();
    // What it needed meanwhile it gives back when it has been asked for nothing for a while: ten kilobytes that each of the
    // clients had left would be sixty megabytes.
    let now = busy;
    for (let attempt = 0; attempt < 600 && now > fresh + 40; attempt++) {
      await delay(100);
      now = resident();
    }
    t.diagnostic(`resident: ${fresh} MB before, ${busy} MB after 6,000 clients, ${now} MB given time`);
    assert.ok(now <= fresh + 40, `${fresh} MB before, ${now} MB after`);
    await engine.client.json("DELETE", `/containers/${Id}?force=1`);
  });

  test("a request that never ends does not hold up others", async () => {
    const slow = connect(engine.socketPath);
    slow.write(
      "POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
    );
    const half = connect(engine.socketPath);
    half.write("GET /_pi");
    assert.equal((await engine.client.call("GET", "/_ping")).status, 200);
    slow.destroy();
    half.destroy();
  });

  test("an upload that is cut makes no container file half", async () => {
    const socket = connect(engine.socketPath);
    socket.on("error", () => {});
    socket.write(
      `PUT /containers/${container}/archive?path=/tmp HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-tar\r\nContent-Length: 100000\r\n\r\n${"x".repeat(600)}`,
    );
    await delay(100);
    socket.destroy();
    assert.equal((await engine.client.call("GET", `/containers/${container}/json`)).status, 200);
  });
});
