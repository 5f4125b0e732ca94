import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, connect as dial, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import {
  DeadlineExceeded,
  FailedPrecondition,
  NotFound,
  ResourceExhausted,
  Unavailable,
  Unsupported,
} from "@boxship/base";
import { tempDir } from "@boxship/testkit";
import fc from "fast-check";
import { GrpcClient } from "./client.ts";
import { clientSession, serverSession } from "./connection.ts";
import { MAX_MESSAGE_BYTES } from "./frame.ts";
import { field, message } from "./message.ts";
import { method } from "./method.ts";
import { type Handler, serveGrpc, streaming, unary } from "./server.ts";

const Text = message("Text", { text: field.string(1), bytes: field.bytes(2) });
const echo = method("test.Service", "Echo", Text, Text);
const chat = method("test.Service", "Chat", Text, Text);

interface Pair extends AsyncDisposable {
  readonly client: GrpcClient;
  /** The client's end of the connection. */
  readonly near: Socket;
  readonly far: Socket;
}

/** A client and a server on the two ends of a socket. */
async function pair(handlers: readonly Handler[]): Promise<Pair> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(tempDir("grpc"));
  const path = join(directory.path, "socket");
  // As those of an HTTP server that upgrades its connections.
  const server = createServer({ allowHalfOpen: true });
  stack.defer(() => new Promise<void>((resolve) => server.close(() => resolve())));
  server.listen(path);
  await once(server, "listening");
  const accepted = once(server, "connection");
  const near = dial(path);
  const [far] = (await accepted) as [Socket];
  const serving = serverSession(far);
  serveGrpc(serving, handlers);
  const calling = clientSession(near);
  stack.defer(() => {
    calling.destroy();
    serving.destroy();
    near.destroy();
    far.destroy();
  });
  const owned = stack.move();
  return { client: new GrpcClient(calling), near, far, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const back = unary(echo, (request) => Promise.resolve(request));
const chatBack = streaming(chat, async (call) => {
  for await (const request of call.requests) await call.send(request);
});

test("a unary call gives the message back, whatever it is", async () => {
  await using both = await pair([back]);
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "grapheme" }), fc.uint8Array({ maxLength: 3000 }), async (text, bytes) => {
      const answer = await both.client.unary(echo, { text: text.toWellFormed(), bytes });
      assert.equal(answer.text, text.toWellFormed());
      assert.deepEqual(Buffer.from(answer.bytes), Buffer.from(bytes));
    }),
    { numRuns: 50 },
  );
});

test("messages stream in both directions, larger ones than any window too", async () => {
  await using both = await pair([chatBack]);
  using call = both.client.call(chat);
  const sizes = [1, 0, 70_000, 3_000_000, 12_000_000, 5];
  const sending = (async () => {
    for (const size of sizes) await call.send({ bytes: Buffer.alloc(size, size % 251) });
    call.endRequests();
  })();
  const seen: number[] = [];
  for await (const response of call.responses) {
    assert.ok(response.bytes.every((byte) => byte === response.bytes.length % 251));
    seen.push(response.bytes.length);
  }
  await sending;
  assert.deepEqual(seen, sizes);
});

test("a slow reader slows the writer down", async () => {
  let sent = 0;
  const flood = streaming(chat, async (call) => {
    for (; sent < 200; sent++) await call.send({ bytes: Buffer.alloc(256 << 10) });
  });
  await using both = await pair([flood]);
  using call = both.client.call(chat);
  const responses = call.responses[Symbol.asyncIterator]();
  await responses.next();
  await delay(200);
  assert.ok(sent < 100, `${sent} messages of 256 KiB are under way`);
  while ((await responses.next()).done !== true);
  assert.equal(sent, 200);
});

test("errors keep their class and words; metadata arrives", async () => {
  const fails = unary(echo, (_request, call) => {
    throw new NotFound(`no ${call.metadata["x-name"]?.join("+")}: ünïcode\nlines`);
  });
  await using both = await pair([fails]);
  await assert.rejects(both.client.unary(echo, {}, { metadata: { "x-name": ["a", "b"] } }), (error) => {
    assert.ok(error instanceof NotFound);
    assert.equal(error.message, "/test.Service/Echo: no a+b: ünïcode\nlines");
    return true;
  });
  await assert.rejects(both.client.unary(chat, {}), Unsupported);
});

test("an error after messages ends the stream with it", async () => {
  const fails = streaming(chat, async (call) => {
    await call.send({ text: "one" });
    throw new FailedPrecondition("enough");
  });
  await using both = await pair([fails]);
  using call = both.client.call(chat);
  const seen: string[] = [];
  await assert.rejects(async () => {
    for await (const { text } of call.responses) seen.push(text);
  }, /enough/);
  assert.deepEqual(seen, ["one"]);
});

test("deadlines end a call on both sides", async () => {
  const { promise: aborted, resolve } = Promise.withResolvers<void>();
  const never = streaming(chat, async (call) => {
    call.signal.addEventListener("abort", () => resolve());
    await aborted;
  });
  await using both = await pair([never]);
  await assert.rejects(both.client.unary(chat, {}, { timeout: 100 }), DeadlineExceeded);
  await aborted;
});

test("cancelling reaches the handler", async () => {
  const { promise: gone, resolve } = Promise.withResolvers<void>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const never = streaming(chat, async (call) => {
    call.signal.addEventListener("abort", () => resolve());
    begin();
    await gone;
  });
  await using both = await pair([never]);
  const controller = new AbortController();
  using call = both.client.call(chat, { signal: controller.signal });
  await begun;
  controller.abort(new Error("no more"));
  await assert.rejects(call.ended, /no more/);
  await gone;
});

test("a connection that is cut fails what is under way and what comes", async () => {
  const { promise: gone, resolve } = Promise.withResolvers<void>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const never = streaming(chat, async (call) => {
    call.signal.addEventListener("abort", () => resolve());
    begin();
    await gone;
  });
  await using both = await pair([never]);
  using call = both.client.call(chat);
  await begun;
  both.near.destroy();
  await gone;
  await assert.rejects(call.ended, Unavailable);
  await assert.rejects(both.client.unary(echo, {}), Unavailable);
});

test("what is too large is refused by who receives it", async () => {
  await using both = await pair([back]);
  await assert.rejects(both.client.unary(echo, { bytes: Buffer.alloc(MAX_MESSAGE_BYTES + 1) }), ResourceExhausted);
});

test("one connection carries many calls at once", async () => {
  await using both = await pair([back]);
  const answers = await Promise.all(
    Array.from({ length: 300 }, (_, index) => both.client.unary(echo, { text: `${index}` })),
  );
  assert.deepEqual(
    answers.map(({ text }) => Number(text)),
    Array.from({ length: 300 }, (_, index) => index),
  );
});
