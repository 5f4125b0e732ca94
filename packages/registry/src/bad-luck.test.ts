import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { test } from "node:test";
import { FakeClock } from "@boxship/base";
import { mount, UnmountFlag, unmount } from "@boxship/kernel";
import { tempDir } from "@boxship/testkit";
import { hashSync } from "bcryptjs";
import fc from "fast-check";
import { htpasswdAccess } from "./access/htpasswd-access.ts";
import { listenForTest, pushBlob, pushImage, sha256 } from "./testing/registry-under-test.ts";

test("no request makes it fail, whatever is in it", async () => {
  await using under = await listenForTest();
  await pushImage(under.url, "a/b", "v1");
  const word = fc.constantFrom(
    ...[
      "v2",
      "a",
      "b",
      "..",
      ".",
      "",
      "manifests",
      "blobs",
      "uploads",
      "tags",
      "list",
      "referrers",
      "_catalog",
      "token",
    ],
    ...["ui", "manifest", "sha256:12", sha256("x"), "%2e%2e", "%00", "%ff", "v1", "A", "a__b", "*", "\\", "~", "?n=1"],
  );
  const query = fc.constantFrom(
    ...[
      "",
      "?n=-1",
      "?n=99999999999",
      "?last=%00",
      "?digest=x",
      "?mount=x&from=..",
      "?ns=x",
      "?tag=.",
      "?after=\u00e9",
    ],
  );
  const header = fc.constantFrom<Record<string, string>>(
    {},
    { range: "bytes=9-1" },
    { range: "bytes=-" },
    { "content-range": "1-0" },
    { "content-range": "99999999999999999-1" },
    { authorization: "Bearer x.y.z" },
    { authorization: "Basic ====" },
    { "content-type": "application/vnd.oci.image.index.v1+json" },
    { host: "" },
    { accept: "\u00ff" },
  );
  const body = fc.constantFrom(
    "",
    "{",
    '{"schemaVersion":2,"schemaVersion":3}',
    "[[[[",
    "\u0000".repeat(100),
    '{"manifests":[{}]}',
  );
  const method = fc.constantFrom("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS");
  const ask = (path: string, how: string, headers: Record<string, string>, text: string) =>
    new Promise<number>((done, fail) => {
      const length = Buffer.byteLength(text);
      const options = {
        host: "127.0.0.1",
        port: under.port,
        path,
        method: how,
        headers: { ...headers, "content-length": length },
      };
      const sent = request(options, (answer) => {
        answer.resume();
        answer.on("end", () => done(answer.statusCode ?? 0));
      });
      sent.on("error", fail);
      sent.end(text);
    });
  const requests = fc.tuple(fc.array(word, { maxLength: 7 }), query, method, header, body);
  await fc.assert(
    fc.asyncProperty(requests, async ([words, search, how, headers, text]) => {
      const path = encodeURI(`/${words.join("/")}${search}`).replaceAll("%25", "%");
      const status = await ask(path, how, headers, text);
      assert.ok(status >= 200 && status < 500, `${how} ${path}: ${status}`);
    }),
    { numRuns: 400 },
  );
  assert.equal((await fetch(`${under.url}/a/b/manifests/v1`)).status, 200);
});

test("what is no HTTP does not end it", async () => {
  await using under = await listenForTest();
  for (const bytes of [
    randomBytes(2000),
    Buffer.from("GET / HTTP/1.1\r\nx: \u0001\r\n\r\n"),
    Buffer.alloc(100_000, "a"),
  ]) {
    const socket = connect(under.port, "127.0.0.1");
    const closed = new Promise((done) => socket.on("close", done));
    socket.on("error", () => {});
    socket.resume();
    socket.end(bytes);
    await closed;
  }
  assert.equal((await fetch(`${under.url}/`)).status, 200);
});

test("a pull goes on while what is pulled is deleted and collected", async () => {
  await using under = await listenForTest();
  const bytes = randomBytes(20_000_000);
  const digest = await pushBlob(under.url, "app", bytes);
  const pulling = await fetch(`${under.url}/app/blobs/${digest}`);
  const reader = pulling.body?.getReader() ?? assert.fail();
  const pieces = [(await reader.read()).value ?? assert.fail()];
  assert.equal((await fetch(`${under.url}/app/blobs/${digest}`, { method: "DELETE" })).status, 202);
  await under.registry.collectGarbage({ grace: -2000 });
  assert.equal((await fetch(`${under.url}/app/blobs/${digest}`)).status, 404);
  for (let next = await reader.read(); !next.done; next = await reader.read()) pieces.push(next.value);
  assert.equal(sha256(Buffer.concat(pieces)), digest);
});

test("a token is good for what it was given for, for a while, and until a new start", async () => {
  const clock = new FakeClock(1_800_000_000_000);
  const htpasswd = `ann:${hashSync("one", 4)}\n`;
  await using under = await listenForTest({ access: htpasswdAccess({ htpasswd, clock }) });
  const basic = { authorization: `Basic ${Buffer.from("ann:one").toString("base64")}` };
  const issued = await fetch(`http://${under.host}/token?service=boxship&scope=repository:a:pull`, { headers: basic });
  const { token } = (await issued.json()) as { token: string };
  const headers = { authorization: `Bearer ${token}` };
  const status = async (path: string, method = "GET", url = under.url) =>
    (await fetch(`${url}/${path}`, { method, headers })).status;
  assert.equal(await status("a/tags/list"), 404);
  assert.equal(await status("b/tags/list"), 401, "another repository");
  const push = await fetch(`${under.url}/a/blobs/uploads/`, { method: "POST", headers });
  assert.equal(push.status, 401, "another action");
  assert.match(push.headers.get("www-authenticate") ?? "", /^Bearer realm=.*scope="repository:a:pull,push"$/);
  await using other = await listenForTest({ access: htpasswdAccess({ htpasswd, clock }) });
  assert.equal(await status("a/tags/list", "GET", other.url), 401, "replayed at another registry");
  await clock.advance(301_000);
  assert.equal(await status("a/tags/list"), 401, "too old");
});

test("a full disk is told of, and room again is enough to go on", async () => {
  await using directory = tempDir("registry-full");
  const root = directory.join("root");
  mkdirSync(root);
  mount({ source: "tmpfs", target: root, type: "tmpfs", data: "size=6m" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => unmount(root, UnmountFlag.Detach));
  const under = stack.use(await listenForTest({}, root));
  await pushImage(under.url, "app", "v1");
  await assert.rejects(pushBlob(under.url, "app", randomBytes(8_000_000)), /^Error: 507 .*no space left/);
  await pushBlob(under.url, "app", randomBytes(2_000_000));
  const { problems } = await under.registry.check();
  assert.deepEqual(problems, []);
  assert.equal((await fetch(`${under.url}/app/manifests/v1`)).status, 200);
});
