import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect } from "node:net";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import { acceptWebSocket } from "./accept-web-socket.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

type Asked = readonly [request: IncomingMessage, socket: Duplex, head: Buffer];

async function ask(headers = ""): Promise<{ client: Duplex; asked: Asked } & AsyncDisposable> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  client.on("error", () => {});
  client.write(
    `GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n${headers}\r\n`,
  );
  const asked = (await once(server, "upgrade")) as unknown as Asked;
  return {
    client,
    asked,
    [Symbol.asyncDispose]: async () => {
      client.destroy();
      asked[1].destroy();
      server.close();
      await once(server, "close");
    },
  };
}

test("the answer names the protocol that was chosen", async () => {
  await using connection = await ask("Sec-WebSocket-Protocol: one, two\r\n");
  await acceptWebSocket(...connection.asked, "two");
  const [answer] = (await once(connection.client, "data")) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1\.1 101 .*\r\nSec-WebSocket-Protocol: two\r\n/is);
});

test("a client that has gone before it is open is told", async () => {
  await using connection = await ask();
  connection.asked[1].destroy();
  await assert.rejects(acceptWebSocket(...connection.asked), /closed before it was open/);
});

test("a request that is none is answered and told", async () => {
  await using connection = await ask();
  connection.asked[0].headers["sec-websocket-key"] = "short";
  await assert.rejects(acceptWebSocket(...connection.asked), /closed before it was open/);
});

test("what is no frame closes it with a code that says why", async () => {
  await using connection = await ask();
  await acceptWebSocket(...connection.asked);
  await once(connection.client, "data");
  connection.client.write(Buffer.from([0xff, 0xff, 0xff, 0xff]));
  const [frame] = (await once(connection.client, "data")) as [Buffer];
  assert.equal(frame[0], 0x88);
  assert.equal(frame.readUInt16BE(2), 1002);
});
