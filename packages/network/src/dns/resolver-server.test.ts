import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { FakeClock } from "@boxship/base";
import { bindSocket } from "@boxship/kernel";
import { ResponseCode } from "./message.ts";
import { ResolverServer } from "./resolver-server.ts";
import { FrameReader, frame, Upstreams } from "./upstreams.ts";

/** A question for the address of a name. @param more bytes behind it */
function questionFor(name: string, more = 0): Buffer {
  const labels = name.split(".").flatMap((label) => [Buffer.of(label.length), Buffer.from(label)]);
  const header = Buffer.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([header, ...labels, Buffer.from([0, 0, 1, 0, 1]), Buffer.alloc(more)]);
}

/** Answers everything with so many bytes. */
function serve(bytes: number) {
  // The other way about the port is more often somebody's.
  const tcp = bindSocket({ protocol: "tcp", address: "127.0.0.1", port: 0 });
  const udp = bindSocket({ protocol: "udp", address: "127.0.0.1", port: tcp.port });
  const answer = Buffer.alloc(bytes);
  const served = { port: udp.port, answered: 0 };
  const server = new ResolverServer(
    { udp: udp.fd.release(), tcp: tcp.fd.release() },
    {
      answer: () => undefined,
      forward: async () => {
        served.answered++;
        return answer;
      },
    },
  );
  return Object.assign(served, { [Symbol.dispose]: () => server[Symbol.dispose]() });
}

test("a question that is too long is refused, not looked at", async () => {
  using server = serve(100);
  const socket = createSocket("udp4");
  try {
    for (const [more, code] of [
      [60_000, ResponseCode.FormatError],
      [0, ResponseCode.NoError],
    ] as const) {
      socket.send(questionFor("web.test", more), server.port, "127.0.0.1");
      const [answer] = (await once(socket, "message")) as [Buffer];
      assert.equal(answer.readUInt16BE(2) & 0xf, code);
    }
    assert.equal(server.answered, 1);
  } finally {
    socket.close();
  }
});

test("who asks by TCP and does not read is not listened to, until he reads", async () => {
  using server = serve(60_000);
  const socket = connect({ port: server.port, host: "127.0.0.1" });
  socket.pause();
  const asked = 1000;
  const questions = Buffer.concat(Array.from({ length: asked }, () => frame(questionFor("web.test"))));
  socket.write(questions.subarray(0, 2048));
  await once(socket, "connect");
  socket.write(questions.subarray(2048));
  for (let before = -1; before !== server.answered; await delay(50)) before = server.answered;
  assert.ok(server.answered < asked / 2, `${server.answered} answers of 60 kB are kept`);
  const frames = new FrameReader();
  let told = 0;
  for await (const data of socket) {
    told += frames.push(data as Buffer).length;
    if (told === asked) break;
  }
  assert.equal(told, asked);
});

test("one client's connections do not keep others from asking", async () => {
  using server = serve(100);
  const greedy = Array.from({ length: 100 }, () => connect({ port: server.port, host: "127.0.0.1" }));
  try {
    await Promise.all(greedy.map((socket) => once(socket, "connect")));
    for (let closed = 0; closed < 36; await delay(5)) closed = greedy.filter((socket) => socket.closed).length;
    const other = connect({ port: server.port, host: "127.0.0.1", localAddress: "127.0.0.2" });
    other.write(frame(questionFor("web.test")));
    const [answer] = (await once(other, "data")) as [Buffer];
    assert.equal(answer.readUInt16BE(4) & 0xf, ResponseCode.NoError);
    other.destroy();
    await delay(20);
    assert.equal(greedy.filter((socket) => !socket.closed).length, 64);
  } finally {
    for (const socket of greedy) socket.destroy();
  }
});

test("questions that wait for a server that does not answer are bounded", async () => {
  const silent = bindSocket({ protocol: "udp", address: "127.0.0.1", port: 0 });
  using _silent = silent.fd;
  const clock = new FakeClock();
  const upstreams = new Upstreams({ clock, port: silent.port });
  const query = questionFor("away.test");
  const results: unknown[] = [];
  const asking = Array.from({ length: 3000 }, () =>
    upstreams.ask(query, query.length, [{ address: "127.0.0.1" }], "udp").catch((error) => results.push(error.code)),
  );
  await delay(0);
  assert.deepEqual(results, Array(3000 - 1024).fill("ResourceExhausted"));
  while (results.length < 3000) {
    await delay(1);
    await clock.advance(5000);
  }
  await Promise.all(asking);
  assert.equal(results.filter((code) => code === "Unavailable").length, 1024);
});
