import assert from "node:assert/strict";
import { test } from "node:test";
import type { Vertex } from "../contract.ts";
import { type ClassicMessage, ClassicStream } from "./classic-stream.ts";

function stepVertex(number: number): Vertex {
  const step = { stage: "0", number, total: 2, text: `RUN ${number}`, lines: [number, number] } as const;
  return { digest: `sha256:${String(number).repeat(64)}`, inputs: [], name: step.text, step };
}

test("output of a step that waits for its turn is bounded; that of the one whose turn it is slows it down", async () => {
  const written: ClassicMessage[] = [];
  const behind = Promise.resolve();
  const stream = new ClassicStream((message) => {
    written.push(message);
    return behind;
  });
  const [first, second] = [stepVertex(1), stepVertex(2)];
  for (const vertex of [first, second]) {
    void stream.push({ kind: "vertex", vertex });
    void stream.push({ kind: "started", vertex: vertex.digest, time: 1 });
  }
  const log = (vertex: Vertex, data: Buffer) =>
    stream.push({ kind: "log", vertex: vertex.digest, time: 2, stream: "stdout", data });
  assert.equal(log(first, Buffer.from("now")), behind);
  for (let i = 0; i < 1000; i++) assert.equal(log(second, Buffer.alloc(10_000, "x")), undefined);
  for (const { digest } of [first, second])
    void stream.push({ kind: "completed", vertex: digest, time: 3, cached: false, imageId: digest });
  const text = written.map((message) => ("stream" in message ? message.stream : "")).join("");
  assert.ok(text.length < 2.2e6, `${text.length}`);
  assert.match(text, /^Step 1\/2[^]*now[^]*Step 2\/2[^]*x\n\[output clipped, log limit 2MiB reached\]\n ---> Removed/);
});

test("letters that are cut by the end of a piece stay whole", () => {
  let text = "";
  const stream = new ClassicStream((message) => void (text += "stream" in message ? message.stream : ""));
  const vertex = stepVertex(1);
  void stream.push({ kind: "vertex", vertex });
  for (const byte of Buffer.from("größe €"))
    void stream.push({ kind: "log", vertex: vertex.digest, time: 1, stream: "stdout", data: Buffer.from([byte]) });
  assert.match(text, /größe €$/);
});
