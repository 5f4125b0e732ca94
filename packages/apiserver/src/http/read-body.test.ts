import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { statusOf } from "@boxship/api";
import { asBoxshipError, FakeClock } from "@boxship/base";
import { LARGEST_BODY, readBody } from "./read-body.ts";

test("a body that drips, or has no end, is answered, and its connection ends", async () => {
  const clock = new FakeClock();
  const server = createServer((incoming, response) => {
    readBody(incoming, clock).then(
      (body) => void response.end(String(body.length)),
      (error: unknown) => void response.writeHead(statusOf(asBoxshipError(error))?.code ?? 0).end("refused"),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const send = () => {
    const sent = request({ port, host: "127.0.0.1", method: "POST", agent: false });
    sent.on("error", () => {});
    sent.flushHeaders();
    const answered = once(sent, "response").then(([response]) => response as IncomingMessage);
    return { sent, answered };
  };
  try {
    const quick = send();
    quick.sent.end("abc");
    const answer = await quick.answered;
    assert.equal(String(await answer.toArray()), "3");
    assert.equal(clock.waiting, 0, "nothing waits for what has come");

    const dripping = send();
    const [incoming] = (await once(server, "request")) as [IncomingMessage];
    for (let second = 0; second < 59; second++) {
      dripping.sent.write("x");
      await clock.advance(1000);
    }
    assert.equal(incoming.destroyed, false);
    await clock.advance(1000);
    const late = await dripping.answered;
    assert.equal(late.statusCode, 504);
    late.resume();
    const ended = once(dripping.sent, "close");
    await clock.advance(1000);
    await ended;

    const endless = send();
    endless.sent.write(Buffer.alloc(LARGEST_BODY + 1));
    const large = await endless.answered;
    assert.equal(large.statusCode, 413);
    assert.equal(String(await large.toArray()), "refused");
    const closed = once(endless.sent, "close");
    await clock.advance(1000);
    await closed;
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
