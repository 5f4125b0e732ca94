import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { tempDir } from "@boxship/testkit";
import { openContentStore } from "../content-store/filesystem.ts";
import { digestOf } from "../digest.ts";
import { parseReference } from "../reference.ts";
import { readBody } from "./body.ts";
import { createRegistryClient } from "./client.ts";
import { HttpConnections } from "./http.ts";

const MEGABYTE = 1024 * 1024;

/** A server that answers every request but the first one of a registry with a body, chunked or of an announced length. */
async function serving(body: Buffer, { chunked = false } = {}) {
  const server = createServer(({ url }, response) => {
    if (url === "/v2/") return void response.end("{}");
    if (!chunked) response.setHeader("content-length", body.length);
    response.end(body);
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    host: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("what arrives takes the same memory again and again, and is right", async () => {
  const body = randomBytes(96 * MEGABYTE);
  await using server = await serving(body);
  await using directory = tempDir("body");
  await using store = await openContentStore({ root: directory.join("store") });
  const registries = { [server.host]: { insecure: true } };
  await using client = createRegistryClient({ registries, transferThreads: 1, transferHere: true });
  const reference = parseReference(`${server.host}/team/app:1`);
  const descriptor = { mediaType: "application/octet-stream", digest: digestOf(body), size: body.length };
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().arrayBuffers)), 2);
  watch.unref();
  await client.fetchBlob({ reference, descriptor, store });
  clearInterval(watch);
  // Left to V8's collector it was 50 MB and more.
  assert.ok(most - before < 24 * MEGABYTE, `${(most - before) / MEGABYTE} MB`);
});

test("bodies of many requests on one connection are right, chunked or not", async () => {
  for (const chunked of [false, true]) {
    const body = randomBytes(3 * MEGABYTE);
    await using server = await serving(body, { chunked });
    using connections = new HttpConnections();
    const request = {
      method: "GET" as const,
      url: `http://${server.host}/`,
      headers: {},
      tls: {},
      idleTimeoutMs: 30_000,
    };
    const kept: Buffer[] = [];
    for (let round = 0; round < 8; round++) kept.push(await readBody(await connections.send(request), 4 * MEGABYTE));
    const later = await Promise.all([1, 2, 3].map(async () => readBody(await connections.send(request), 4 * MEGABYTE)));
    for (const read of [...kept, ...later]) assert.ok(read.equals(body));
    await assert.rejects(async () => readBody(await connections.send(request), MEGABYTE), { code: "EMSGSIZE" });
  }
});

test("a thread that stood still does not take that for silence of the server", async () => {
  const source = `const { createServer } = require("node:http");
    const server = createServer((request, response) => {
      response.writeHead(200, { "content-length": 11 }).write("first ");
      if (request.url === "/whole") setTimeout(() => response.end("later"), 300);
    });
    server.listen(0, "127.0.0.1", () => require("node:worker_threads").parentPort.postMessage(server.address().port));`;
  const worker = new Worker(source, { eval: true });
  await using _ended = { [Symbol.asyncDispose]: async () => void (await worker.terminate()) };
  const [port] = (await once(worker, "message")) as [number];
  using connections = new HttpConnections();
  const ask = (path: string) =>
    connections.send({
      method: "GET",
      url: `http://127.0.0.1:${port}${path}`,
      headers: {},
      tls: {},
      idleTimeoutMs: 1000,
    });
  const whole = readBody(await ask("/whole"), 100);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500);
  assert.equal((await whole).toString(), "first later");
  await assert.rejects(async () => readBody(await ask("/half"), 100), { name: "NetworkFailure" });
});
