import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { StreamFrame } from "../contract.ts";
import { FrameStream } from "./frame-stream.ts";

async function framesOf(stream: FrameStream): Promise<readonly string[]> {
  const frames = await Array.fromAsync(stream as AsyncIterable<StreamFrame>);
  return frames.map((frame) => `${frame.stream} ${frame.data.toString()}`);
}

function pair(): { readonly out: PassThrough; readonly err: PassThrough; readonly frames: FrameStream } {
  const out = new PassThrough();
  const err = new PassThrough();
  const frames = new FrameStream([
    { stream: "stdout", readable: out },
    { stream: "stderr", readable: err },
  ]);
  return { out, err, frames };
}

describe("a stream of frames", () => {
  test("ends when all of its sources have", async () => {
    const { out, err, frames } = pair();
    out.end("a");
    await turn();
    err.end("b");
    assert.deepEqual(await framesOf(frames), ["stdout a", "stderr b"]);
  });

  test("a slow reader pauses the sources", async () => {
    const { out, err, frames } = pair();
    let written = 0;
    while (written < 1000 && out.write(Buffer.alloc(10_000))) {
      written++;
      await turn();
    }
    assert.ok(written < 100);
    assert.equal(frames.progress.paused, true);
    out.end();
    err.end();
    assert.equal((await framesOf(frames)).length, written + 1);
  });

  test("finishing keeps what came and lets go of the rest", async () => {
    const { out, err, frames } = pair();
    out.write("kept");
    await turn();
    frames.finish();
    await frames.released;
    assert.ok(out.destroyed && err.destroyed);
    assert.deepEqual(await framesOf(frames), ["stdout kept"]);
  });

  test("a source that fails has ended", async () => {
    const { out, err, frames } = pair();
    out.destroy(new Error("reset"));
    err.end("rest");
    assert.deepEqual(await framesOf(frames), ["stderr rest"]);
  });
});
