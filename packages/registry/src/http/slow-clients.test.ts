import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { FakeClock } from "@boxship/base";
import { rawConnection } from "../testing/raw-request.ts";
import { listenForTest, pushBlob, sha256 } from "../testing/registry-under-test.ts";

const MINUTE = 60_000;

test("who sends or takes next to nothing is ended, and nobody else waits for them", async () => {
  const clock = new FakeClock(1_800_000_000_000);
  await using under = await listenForTest({ clock });
  const { url, port } = under;
  const large = randomBytes(12_000_000);
  const digest = await pushBlob(url, "app", large);
  const accepted = new Map<number | undefined, Socket>();
  under.registry.server.on("connection", (socket) => accepted.set(socket.remotePort, socket));
  const arrived = async (socket: Socket, bytes: number): Promise<void> => {
    while ((accepted.get(socket.localPort)?.bytesRead ?? 0) < bytes) await setTimeout(1);
  };
  const begin = async () => {
    const begun = await fetch(`${url}/app/blobs/uploads/`, { method: "POST" });
    return new URL(begun.headers.get("location") ?? "", url);
  };
  const slow: { readonly socket: Socket; readonly port: number | undefined }[] = [];
  const add = async (head: string): Promise<Socket> => {
    const socket = await rawConnection(port);
    slow.push({ socket, port: socket.localPort });
    socket.write(head);
    return socket;
  };
  const before = process.memoryUsage.rss();
  const uploads = await Promise.all(Array.from({ length: 100 }, begin));
  const senders = await Promise.all(
    uploads.map((at) => add(`PATCH ${at.pathname} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\nabc`)),
  );
  await Promise.all(
    Array.from({ length: 100 }, async () => {
      const reader = await add(`GET /v2/app/blobs/${digest} HTTP/1.1\r\nhost: x\r\n\r\n`);
      // Its first bytes are there: it is being answered.
      await once(reader, "readable");
    }),
  );
  const steady = await rawConnection(port);
  const at = await begin();
  steady.write(`PATCH ${at.pathname} HTTP/1.1\r\nhost: x\r\ncontent-length: 1500000\r\n\r\n`);
  assert.equal(sha256(Buffer.from(await (await fetch(`${url}/app/blobs/${digest}`)).arrayBuffer())), digest);
  const grown = process.memoryUsage.rss() - before;
  assert.ok(grown < 300_000_000, `200 slow clients took ${grown} bytes`);

  for (let minute = 1; minute <= 15; minute++) {
    for (const sender of senders) sender.write("x");
    steady.write(Buffer.alloc(100_000));
    await arrived(steady, minute * 100_000);
    await clock.advance(MINUTE);
  }
  const left = () => slow.filter(({ port: own }) => accepted.get(own)?.closed !== true);
  while (left().length > 0) await setTimeout(1);
  for (const { socket } of slow) socket.destroy();
  assert.match(String(((await once(steady, "data")) as [Buffer])[0]), /^HTTP\/1\.1 202 /);
  steady.destroy();
  const [first] = uploads;
  const range = (await fetch(first ?? assert.fail())).headers.get("range");
  assert.match(range ?? "", /^0-[2-9]$/, "what a slow sender brought is there");
});

test("who does not end the head of a request is ended", async () => {
  await using under = await listenForTest();
  under.registry.server.headersTimeout = 300;
  const socket = await rawConnection(under.port);
  socket.write("GET /v2/ HTTP/1.1\r\nhost: x\r\nx-slow: ");
  const writing = setInterval(() => socket.write("a"), 50);
  try {
    let answer = "";
    for await (const piece of socket) answer += String(piece);
    assert.match(answer, /^HTTP\/1\.1 408 /);
  } finally {
    clearInterval(writing);
  }
});
