import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createNetServer } from "node:net";
import { Readable } from "node:stream";
import { test } from "node:test";
import { tempDir } from "@boxship/testkit";
import fc from "fast-check";
import { Failure } from "../failure.ts";
import { ApiError, isNotFound } from "./api-error.ts";
import { ApiClient, readAll } from "./client.ts";
import { type ResponseHead, ResponseParser } from "./response-parser.ts";

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

/** A Node HTTP server on a unix socket, and a client for it. */
async function serve(handler: Handler) {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(tempDir("cli-api"));
  const connections = { count: 0 };
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => handler(request, response, Buffer.concat(chunks).toString()));
  });
  server.on("connection", () => connections.count++);
  const path = directory.join("s.sock");
  await new Promise<void>((done) => server.listen(path, done));
  stack.defer(() => new Promise<void>((done) => (server.closeAllConnections(), server.close(() => done()))));
  const client = stack.use(new ApiClient({ kind: "unix", path }));
  const owned = stack.move();
  return { server, client, connections, path, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

test("requests and answers, over one connection when they follow each other", async () => {
  await using served = await serve((request, response, body) => {
    response.setHeader("X-Seen", `${request.method} ${request.url} ${body}`);
    if (request.url?.startsWith("/chunked")) {
      response.write('{"a":');
      response.end("1}");
    } else response.end('{"a":1}');
  });
  const { client, connections } = served;
  deepEqual(
    await client.json("GET", "/x", { query: { a: "b c", n: 0, no: undefined, yes: true, off: false, l: ["1", "2"] } }),
    { a: 1 },
  );
  const chunked = await client.open("GET", "/chunked");
  equal(chunked.headers["x-seen"], "GET /chunked");
  equal((await readAll(chunked.body)).toString(), '{"a":1}');
  const posted = await client.open("POST", "/y", { body: { k: "é" } });
  equal(posted.headers["x-seen"], Buffer.from('POST /y {"k":"é"}').toString("latin1"));
  await readAll(posted.body);
  const head = await client.open("HEAD", "/z");
  equal(head.headers["x-seen"], "HEAD /z");
  equal((await readAll(head.body)).length, 0);
  equal((await client.open("GET", "/q", { query: { a: "b c", yes: true } })).headers["x-seen"], "GET /q?a=b+c&yes=1");
  equal(connections.count, 1);
});

test("a stream is sent in chunks, whatever its size", async () => {
  await using served = await serve((request, response, body) => {
    response.end(JSON.stringify([request.headers["transfer-encoding"], body.length]));
  });
  const pieces = Array.from({ length: 40 }, () => Buffer.alloc(50_000, "x"));
  deepEqual(await served.client.json("PUT", "/", { stream: Readable.from(pieces) }), ["chunked", 2_000_000]);
});

test("an engine that refuses before it has read everything is heard", async () => {
  await using served = await serve(() => {});
  served.server.removeAllListeners("request");
  served.server.on("request", (_request, response: ServerResponse) => {
    response.writeHead(409, { Connection: "close" }).end('{"message":"no","remedy":"do"}');
  });
  const pieces = Array.from({ length: 400 }, () => Buffer.alloc(100_000));
  await rejects(
    () => served.client.call("PUT", "/", { stream: Readable.from(pieces) }),
    (error) => error instanceof ApiError && error.httpStatus === 409 && error.remedy === "do",
  );
});

test("refusals carry the engine's words", async () => {
  await using served = await serve((request, response) => {
    response.statusCode = Number(request.url?.slice(1));
    response.end(response.statusCode === 404 ? '{"message":"No such container: x\\n","remedy":"look"}' : "plain words");
  });
  const failure = async (status: number) =>
    served.client.call("GET", `/${status}`).then(
      () => undefined,
      (error: unknown) => error as ApiError,
    );
  const missing = await failure(404);
  deepEqual(
    [missing?.message, missing?.remedy, isNotFound(missing)],
    ["Error response from daemon: No such container: x", "look", true],
  );
  equal((await failure(500))?.message, "Error response from daemon: plain words");
});

test("a connection becomes a raw stream in both directions", async () => {
  await using served = await serve((_request, response) => response.writeHead(404).end('{"message":"none"}'));
  served.server.on("upgrade", (_request, socket) => {
    socket.write("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly");
    socket.on("data", (chunk: Buffer) => socket.write(chunk.toString().toUpperCase()));
    // Our half may be closed; the other half still says good-bye.
    socket.on("end", () => socket.end("bye"));
  });
  const { socket, head } = await served.client.hijack("/attach", { body: { a: 1 } });
  socket.write("hello");
  socket.end();
  const rest = (await readAll(socket)).toString();
  ok(/^(earlyHELLO|early)?.*bye$/i.test(head.toString() + rest), head.toString() + rest);
});

test("an engine that is not there, or speaks something else, is named", async () => {
  await using directory = tempDir("cli-api");
  const path = directory.join("none.sock");
  using client = new ApiClient({ kind: "unix", path });
  await rejects(
    () => client.call("GET", "/"),
    (error) =>
      error instanceof Failure &&
      error.message === `cannot connect to the engine at unix://${path}: the socket does not exist`,
  );
  let asked = 0;
  using recovering = new ApiClient({ kind: "unix", path }, () => Promise.resolve(asked++ > 5));
  await rejects(() => recovering.call("GET", "/"), Failure);
  equal(asked, 1);

  const talker = createNetServer((socket) => void socket.resume().end("SSH-2.0-nothing\r\n"));
  await new Promise<void>((done) => talker.listen(path, done));
  await rejects(() => client.call("GET", "/"), /no HTTP response/);
  talker
    .removeAllListeners("connection")
    .on("connection", (socket) => void socket.resume().end("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"));
  await rejects(() => client.call("GET", "/"), /closed the connection before its answer was complete/);
  await new Promise((done) => talker.close(done));
});

/** Parses bytes in given pieces. */
function parse(pieces: readonly Buffer[], bodiless = false) {
  const found: { head?: ResponseHead; body: string; ended: boolean } = { body: "", ended: false };
  const parser = new ResponseParser(
    {
      head: (head) => (found.head = head),
      data: (piece) => (found.body += piece.toString("latin1")),
      end: () => (found.ended = true),
    },
    bodiless,
  );
  for (const piece of pieces) parser.push(piece);
  return found;
}

test("an answer is the same in whatever pieces it arrives", () => {
  const chunk = fc.string({ minLength: 1, maxLength: 50, unit: fc.constantFrom("a", "\r", "\n", "0") });
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 8 }), fc.boolean(), fc.array(fc.nat(600)), (chunks, chunked, cuts) => {
      const body = chunks.join("");
      const text = chunked
        ? `Transfer-Encoding: chunked\r\n\r\n${chunks.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join("")}0\r\n\r\n`
        : `Content-Length: ${body.length}\r\n\r\n${body}`;
      const bytes = Buffer.from(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n${text}`);
      const points = [0, ...new Set(cuts.map((cut) => cut % bytes.length))].sort((a, b) => a - b);
      const pieces = points.map((from, index) => bytes.subarray(from, points[index + 1]));
      const found = parse(pieces);
      deepEqual([found.head?.status, found.head?.headers["a"], found.body, found.ended], [200, "b", body, true]);
    }),
  );
});

test("no bytes crash the parser", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 200 })),
      fc.constantFrom("", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
      (pieces, start) => {
        try {
          parse([Buffer.from(start), ...pieces.map((piece) => Buffer.from(piece))]);
        } catch (error) {
          if (!(error instanceof Failure)) throw error;
        }
      },
    ),
  );
});
