import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { InvalidArgument, NotFound, Unavailable } from "@boxship/base";
import { openUrl } from "./open-url.ts";

const content = Buffer.from("some content ".repeat(1000));
const server = createServer((request, response) => {
  switch (request.url) {
    case "/content":
      return response.writeHead(200, { "content-length": content.length }).end(content);
    case "/moved":
      return response.writeHead(301, { location: "content" }).end();
    case "/loop":
      return response.writeHead(302, { location: "/loop" }).end();
    case "/away":
      return response.writeHead(302, { location: "file:///etc/passwd" }).end();
    case "/cut":
      response.writeHead(200, { "content-length": content.length }).write(content.subarray(0, 100));
      return void setTimeout(() => response.destroy(), 20);
    case "/stall":
      return void response.writeHead(200).write("x");
    case "/trouble":
      return response.writeHead(500).end();
    default:
      return response.writeHead(404).end();
  }
});
let base: string;

before(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

after(() => {
  server.closeAllConnections();
  server.close();
});

async function read(address: string, options: Parameters<typeof openUrl>[1] = {}): Promise<Buffer> {
  await using opened = await openUrl(address, options);
  return Buffer.concat(await Array.fromAsync(opened.body));
}

test("content, where it is and where it has moved", async () => {
  assert.ok((await read(`${base}/content`)).equals(content));
  assert.ok((await read(`${base}/moved`)).equals(content));
  await using opened = await openUrl(`${base}/content`);
  assert.equal(opened.size, content.length);
});

test("what cannot be had", async () => {
  await assert.rejects(read(`${base}/nothing`), NotFound);
  await assert.rejects(
    read(`${base}/trouble`),
    (error) => error instanceof Unavailable && /answered 500/.test(error.message),
  );
  await assert.rejects(read(`${base}/cut`), Unavailable);
  await assert.rejects(read(`${base}/stall`, { idleTimeoutMs: 50 }), Unavailable);
  await assert.rejects(read("http://127.0.0.1:1/x"), /ECONNREFUSED/);
  await assert.rejects(read(`${base}/content`, { signal: AbortSignal.abort(new Error("enough")) }), /enough/);
});

test("addresses that are not followed", async () => {
  for (const address of ["file:///etc/passwd", "ftp://x/y", "no address"]) {
    await assert.rejects(
      read(address),
      (error) => error instanceof InvalidArgument && /no http or https/.test(error.message),
    );
  }
  await assert.rejects(read(`${base}/away`), /"file:\/\/\/etc\/passwd" is no http or https address/);
  await assert.rejects(read(`${base}/loop`), /more than 10 redirects/);
});
