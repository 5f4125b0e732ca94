import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { containerView, noSuchContainer, scriptedEngine } from "./testing/scripted-engine.ts";
import { readToEnd, readUntil, serve } from "./testing/serve.ts";

const json = (text: string): unknown => JSON.parse(text);

test("pings with and without a version, by GET and by HEAD", async () => {
  await using served = await serve(scriptedEngine(), { info: { version: "9.9" } });
  for (const path of ["/_ping", "/v1.24/_ping", "/v1.51/_ping"]) {
    const { status, text, headers } = await served.call("GET", path);
    assert.deepEqual([status, text], [200, "OK"]);
    assert.equal(headers["api-version"], "1.51");
    assert.equal(headers["ostype"], "linux");
    assert.equal(headers["docker-experimental"], "true");
    assert.equal(headers["server"], "Boxship/9.9 (linux)");
    assert.equal(headers["builder-version"], "1");
    assert.equal(headers["swarm"], "inactive");
    assert.equal(headers["cache-control"], "no-cache, no-store, must-revalidate");
  }
  const head = await served.call("HEAD", "/_ping");
  assert.deepEqual([head.status, head.text, head.headers["content-length"]], [200, "", "0"]);
});

test("refuses versions outside the range in Docker's words", async () => {
  await using served = await serve(scriptedEngine());
  const cases: readonly [string, string][] = [
    ["/v1.99/info", "client version 1.99 is too new. Maximum supported API version is 1.51"],
    ["/v2.0/info", "client version 2.0 is too new. Maximum supported API version is 1.51"],
    [
      "/v1.10/info",
      "client version 1.10 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version",
    ],
  ];
  for (const [path, message] of cases) {
    const answer = await served.call("GET", path);
    assert.equal(answer.status, 400);
    assert.deepEqual(json(answer.text), { message });
  }
});

test("unknown paths and methods are not found", async () => {
  await using served = await serve(scriptedEngine());
  for (const [method, path] of [
    ["GET", "/foo"],
    ["PUT", "/info"],
    ["GET", "/v1.41"],
    ["POST", "/v1.30/containers/x/nothing"],
    ["POST", "/v1.24/session"],
  ] as const) {
    const answer = await served.call(method, path);
    assert.equal(answer.status, 404, path);
    assert.deepEqual(json(answer.text), { message: "page not found" });
  }
});

test("a name may have slashes and escapes", async () => {
  const seen: string[] = [];
  await using served = await serve(
    scriptedEngine({
      images: {
        history: (ref) => (seen.push(ref), Promise.resolve([])),
        remove: (ref) => (seen.push(ref), Promise.resolve([])),
      },
    }),
  );
  await served.call("GET", "/images/host:5000/a/b:1/history");
  await served.call("GET", "/v1.40/images/a%2Fb%40sha256%3Ac/history");
  await served.call("DELETE", "/images/a/json");
  await served.call("GET", "/images//a/history");
  await served.call("GET", "/images/%2Fa/history");
  assert.deepEqual(seen, ["host:5000/a/b:1", "a/b@sha256:c", "a/json", "a", "a"]);
  assert.equal((await served.call("GET", "/images/%zz/json")).status, 400);
});

test("errors carry message and remedy, and unexpected ones are logged", async () => {
  await using served = await serve(
    scriptedEngine({
      containers: {
        start: (ref) => Promise.reject(noSuchContainer(ref)),
        pause: () => Promise.reject(new TypeError("boom")),
      },
    }),
  );
  const missing = await served.call("POST", "/containers/nope/start");
  assert.deepEqual([missing.status, json(missing.text)], [404, { message: "No such container: nope" }]);
  assert.equal(served.errors.length, 0);
  const broken = await served.call("POST", "/containers/x/pause");
  assert.deepEqual([broken.status, json(broken.text)], [500, { message: "boom" }]);
  assert.equal(served.errors.length, 1);
});

test("bodies: content type, broken JSON, size, none", async () => {
  await using served = await serve(scriptedEngine());
  const post = (body: string | undefined, headers?: Record<string, string>) =>
    served.call("POST", "/containers/create", body, headers);
  const messages = [
    (await post("{}", { "Content-Type": "text/plain" })).text,
    (await post("{}", { "Content-Type": "" })).text,
    (await post('{"Image')).text,
    (await post("")).text,
    (await post(undefined)).text,
    (await post("{}")).text,
    (await post("null")).text,
    (await post("[1]")).text,
    (await post(" ".repeat(5 << 20))).text,
  ].map((text) => (json(text) as { message: string }).message);
  assert.match(messages[0] ?? "", /text\/plain.*must be 'application\/json'/);
  assert.match(messages[1] ?? "", /no media type/);
  assert.match(messages[2] ?? "", /invalid JSON/);
  assert.match(messages[3] ?? "", /EOF/);
  assert.match(messages[4] ?? "", /EOF/);
  assert.match(messages[5] ?? "", /config cannot be empty/);
  assert.match(messages[6] ?? "", /config cannot be empty/);
  assert.match(messages[7] ?? "", /cannot unmarshal array into Go value of type ContainerConfig/);
  assert.match(messages[8] ?? "", /larger than/);
});

test("what is not HTTP, and a head that is too large, get an answer and are cut", async () => {
  await using served = await serve(scriptedEngine());
  const garbage = await served.connect();
  garbage.write("\u0016\u0003\u0001 not http\r\n\r\n");
  assert.match(
    (await readToEnd(garbage)).toString(),
    /^HTTP\/1\.1 400 Bad Request\r\n[^]*"message":"malformed request/,
  );
  garbage.destroy();
  const large = await served.connect();
  // In two parts: the second is small enough to be sent although nobody reads it any more.
  const [most, rest] = [1_000_000, 60_000].map((size) => "x".repeat(size));
  await new Promise((sent) => large.write(`GET /_ping HTTP/1.1\r\nHost: x\r\nX-Large: ${most}`, sent));
  large.write(`${rest}\r\n\r\n`);
  assert.match((await readToEnd(large)).toString(), /^HTTP\/1\.1 431 /);
  large.destroy();
});

test("a request without a host is refused as Go's server does; HTTP/1.0 needs none", async () => {
  await using served = await serve(scriptedEngine());
  const ask = async (head: string) => {
    const socket = await served.connect();
    socket.write(head);
    const text = (await readToEnd(socket)).toString();
    socket.destroy();
    return text;
  };
  const words = "400 Bad Request: missing required Host header";
  const refusal = `HTTP/1.1 ${words}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${words}`;
  assert.equal(await ask("GET /_ping HTTP/1.1\r\n\r\n"), refusal);
  assert.equal(await ask("GET /_ping HTTP/1.1\r\n\r\nGET /_ping HTTP/1.1\r\nHost: x\r\n\r\n"), refusal);
  const attach = "POST /containers/web/attach HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
  assert.equal(await ask(attach), refusal);
  assert.match(await ask("GET /_ping HTTP/1.0\r\n\r\n"), /^HTTP\/1\.[01] 200 OK\r\n/);
  assert.match(await ask("GET /_ping HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n"), /^HTTP\/1\.1 200 OK\r\n/);
});

test("odd but lawful requests: a whole address, many long headers, a tunnel, a stream's name in the query", async () => {
  await using served = await serve(scriptedEngine());
  const ask = async (head: string) => {
    const socket = await served.connect();
    socket.write(`${head}\r\nHost: x\r\nConnection: close\r\n\r\n`);
    const answer = (await readToEnd(socket)).toString();
    socket.destroy();
    return [/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1], answer.split("\r\n\r\n")[1]];
  };
  assert.deepEqual(await ask("GET http://engine:2375/v1.41/_ping HTTP/1.1"), ["200", "OK"]);
  assert.deepEqual(await ask(`GET /_ping HTTP/1.1\r\nX-Registry-Config: ${"x".repeat(500_000)}`), ["200", "OK"]);
  assert.deepEqual(await ask("CONNECT other:443 HTTP/1.1"), ["404", '{"message":"page not found"}\n']);
  const named = "GET /_ping?x=/containers/a/attach HTTP/1.1\r\nUpgrade: tcp\r\nConnection: Upgrade";
  assert.deepEqual(await ask(named), ["200", "OK"]);
});

test("what is not HTTP behind a request does not get into its answer", async () => {
  await using served = await serve(scriptedEngine());
  const socket = await served.connect();
  socket.write("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
  await readUntil(socket, "\r\n\r\n");
  socket.write("\u0016\u0003\u0001\r\n\r\n");
  assert.equal((await readToEnd(socket)).toString(), "");
  socket.destroy();
});

test("an Upgrade header means nothing where there is no stream", async () => {
  await using served = await serve(scriptedEngine());
  const answer = await served.call("GET", "/_ping", undefined, {
    Connection: "Upgrade, HTTP2-Settings",
    Upgrade: "h2c",
    "HTTP2-Settings": "AAMAAABk",
  });
  assert.deepEqual([answer.status, answer.text], [200, "OK"]);
});

test("a client that goes away aborts what it asked for", async () => {
  const { promise: aborted, resolve } = Promise.withResolvers<void>();
  const { promise: waiting, resolve: onWaiting } = Promise.withResolvers<void>();
  await using served = await serve(
    scriptedEngine({
      containers: {
        get: () => Promise.resolve(containerView()),
        wait: (_ref, _condition, signal) =>
          new Promise((_resolve, reject) => {
            onWaiting();
            signal?.addEventListener("abort", () => (resolve(), reject(signal.reason as Error)));
          }),
      },
    }),
  );
  const socket = await served.connect();
  socket.write("POST /containers/web/wait HTTP/1.1\r\nHost: x\r\n\r\n");
  await waiting;
  socket.destroy();
  await aborted;
  while (served.api.active > 0) await delay(5);
  assert.equal(served.errors.length, 0);
});

test("500 requests at once are all answered and leave nothing", async () => {
  await using served = await serve(
    scriptedEngine({ containers: { get: () => delay(20).then(() => containerView()) } }),
  );
  const answers = await Promise.all(
    Array.from({ length: 500 }, (_, index) => served.call("GET", `/v1.${24 + (index % 28)}/containers/c${index}/json`)),
  );
  assert.deepEqual([...new Set(answers.map((answer) => answer.status))], [200]);
  assert.equal(served.api.active, 0);
});

test("close ends streams, lets short answers finish, and cuts the rest", async () => {
  const served = await serve(
    scriptedEngine({
      containers: {
        pause: () => delay(50),
        unpause: () => new Promise(() => {}),
      },
    }),
  );
  const events = served.call("GET", "/events");
  const short = served.call("POST", "/containers/x/pause");
  const hung = served.call("POST", "/containers/x/unpause").catch((error: unknown) => error);
  while (served.api.active < 3) await delay(5);
  const closing = served.api.close(200);
  assert.equal((await events).status, 200);
  assert.equal((await short).status, 204);
  assert.ok((await hung) instanceof Error);
  await closing;
  await served[Symbol.asyncDispose]();
});

test("close does not wait for connections that are kept alive", async () => {
  const served = await serve(scriptedEngine({ containers: { pause: () => delay(50) } }));
  await served.call("GET", "/_ping");
  const short = served.call("POST", "/containers/x/pause");
  while (served.api.active < 1) await delay(5);
  const started = performance.now();
  await served.api.close(5000);
  assert.equal((await short).status, 204);
  assert.ok(performance.now() - started < 4500);
  await served[Symbol.asyncDispose]();
});

test("the extensions: which daemon, and its end", async () => {
  let ended = 0;
  const instance = { name: "n", root: "/r", runDir: "/d", pid: 7 };
  await using served = await serve(scriptedEngine(), { instance, info: { version: "1.0" }, shutdown: () => ended++ });
  const ping = await served.call("GET", "/boxship/ping");
  assert.deepEqual(json(ping.text), { Version: "1.0", Name: "n", Root: "/r", RunDir: "/d", Pid: 7 });
  assert.equal((await served.call("POST", "/boxship/shutdown")).status, 202);
  assert.equal(ended, 1);
  await using other = await serve(scriptedEngine());
  assert.equal((await other.call("POST", "/boxship/shutdown")).status, 501);
  assert.equal((await other.call("POST", "/boxship/images/bootstrap?kind=arch")).status, 400);
});

test("clients that send their head a byte at a time are cut in time; others are not held up", async () => {
  await using served = await serve(scriptedEngine(), { headersTimeoutMs: 200 });
  const slow = await Promise.all(Array.from({ length: 300 }, () => served.connect()));
  const ended = slow.map((socket) => readToEnd(socket));
  for (const socket of slow) socket.write("GET /_ping HTTP/1.1\r\nX: ");
  const drip = setInterval(() => {
    for (const socket of slow) if (socket.writable) socket.write("T");
  }, 50);
  assert.equal((await served.call("GET", "/_ping")).status, 200);
  const answers = await Promise.all(ended);
  clearInterval(drip);
  for (const answer of answers) assert.match(answer.toString(), /^HTTP\/1.1 408 .*"message":/s);
  assert.equal(served.api.active, 0);
  for (const socket of slow) socket.destroy();
});
