import assert from "node:assert/strict";
import { test } from "node:test";
import { StatusLog } from "./status-log.ts";

test("of much output the beginning and the end are told, and no more is kept", async () => {
  const log = new StatusLog();
  log.add({ kind: "vertex", vertex: { digest: "sha256:1", inputs: [], name: "RUN yes" } });
  log.add({ kind: "started", vertex: "sha256:1", time: 1 });
  const line = "0123456789abcde\n";
  const data = Buffer.from(line.repeat(4096));
  const say = (bytes: Buffer) => log.add({ kind: "log", vertex: "sha256:1", time: 2, stream: "stdout", data: bytes });
  for (let i = 0; i < 1000; i++) say(data);
  say(Buffer.from("and then it failed\n"));
  const kept = () => log.messages.reduce((sum, { length }) => sum + length, 0);
  assert.ok(kept() < 2.2e6, `${kept()} bytes`);
  log.add({ kind: "failed", vertex: "sha256:1", time: 3, error: "exit code: 1" });
  log.end();
  let text = "";
  for await (const { logs = [] } of log.read(new AbortController().signal))
    for (const { message = new Uint8Array() } of logs) text += Buffer.from(message).toString();
  assert.ok(text.startsWith(line.repeat(1000)));
  assert.match(text, /\n\[output clipped, log limit 2MiB reached\]\n(?:0123456789abcde\n){1000,}and then it failed\n$/);
  assert.ok(kept() < 2.3e6);
});
