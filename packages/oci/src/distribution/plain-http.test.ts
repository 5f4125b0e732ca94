import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { answersInHttp } from "./plain-http.ts";

async function asked(answer: (socket: Socket) => void, timeoutMs = 60_000): Promise<boolean> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => answer(socket));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    return await answersInHttp(`127.0.0.1:${(server.address() as AddressInfo).port}`, timeoutMs);
  } finally {
    server.close();
  }
}

test("a server of plain HTTP is known by its answer to TLS, whole or in pieces", async () => {
  const plain = createHttpServer().listen(0, "127.0.0.1");
  await once(plain, "listening");
  const { port } = plain.address() as AddressInfo;
  assert.equal(await answersInHttp(`127.0.0.1:${port}`, 60_000), true);
  plain.close();
  await once(plain, "close");
  assert.equal(await answersInHttp(`127.0.0.1:${port}`, 60_000), false, "nobody listens");
  const inPieces = (socket: Socket) => {
    socket.setNoDelay().write("HT");
    setImmediate(() => socket.end("TP/1.1 400 Bad Request\r\n\r\n"));
  };
  assert.equal(await asked(inPieces), true);
});

test("whatever is not HTTP for certain is left to TLS", async () => {
  const alert = Buffer.from("15030100020228", "hex");
  assert.equal(await asked((socket) => socket.end(alert)), false);
  assert.equal(await asked((socket) => socket.end("HTTQ")), false);
  assert.equal(await asked((socket) => socket.end("HTT")), false);
  assert.equal(await asked((socket) => socket.destroy()), false);
  assert.equal(await asked(() => {}, 20), false, "it says nothing");
  assert.equal(await answersInHttp("localhost", 60_000), false, "each scheme has a port of its own");
});
