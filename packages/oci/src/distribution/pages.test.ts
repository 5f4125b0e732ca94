import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { InvalidArgument, Unavailable } from "@boxship/base";
import { digestOf } from "../digest.ts";
import { parseReference } from "../reference.ts";
import { createRegistryClient } from "./client.ts";
import { credentialsFor } from "./credentials.ts";
import type { Reply } from "./failures.ts";
import { pagesOf } from "./pages.ts";

async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close().closeAllConnections());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function clientOf(t: TestContext, host: string) {
  const credentials = credentialsFor(host, { kind: "password", username: "me", password: "secret" });
  const client = createRegistryClient({ registries: { [host]: { insecure: true } }, credentials });
  t.after(() => client[Symbol.asyncDispose]());
  return client;
}

const SUBJECT = digestOf(Buffer.from("subject"));
const EMPTY_INDEX = JSON.stringify({
  schemaVersion: 2,
  mediaType: "application/vnd.oci.image.index.v1+json",
  manifests: [],
});

/** What a list of each kind has to say, by the end of its path. */
function bodyOf(url: string): string {
  if (url.includes("/tags/list")) return '{"name":"a","tags":["v1"]}';
  if (url.includes("/referrers/")) return EMPTY_INDEX;
  return url.includes("/_catalog") ? '{"repositories":["a"]}' : "{}";
}

test("lists whose next page is one that was sent already end, with words", async (t) => {
  const host = await serve(t, ({ url = "" }, response) => {
    const next = url.includes("last=b") ? "last=a" : "last=b";
    response.setHeader("link", `<${url.split("?")[0]}?${next}>; rel="next"`);
    response.statusCode = url.startsWith("/v1/") ? 404 : 200;
    response.end(bodyOf(url));
  });
  const client = clientOf(t, host);
  const reference = parseReference(`${host}/a`);
  const words = /do not end: the registry names a page as the next one that it has sent already/;
  await assert.rejects(client.tags(reference), words);
  await assert.rejects(client.referrers(reference, SUBJECT), words);
  await assert.rejects(client.search({ domain: host, term: "none", limit: 10 }), (error: Error) => {
    assert.match(String(error.cause), words);
    return true;
  });
});

test("the next page is asked of the same list, whatever host and path a link names", async (t) => {
  const strangers: string[] = [];
  const elsewhere = await serve(t, ({ url = "" }, response) => {
    strangers.push(url);
    response.end("{}");
  });
  const asked: string[] = [];
  const host = await serve(t, ({ url = "", headers }, response) => {
    if (headers.authorization === undefined) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end();
      return;
    }
    if (url === "/v2/") return void response.end();
    asked.push(url);
    if (!url.includes("last")) response.setHeader("link", `<http://${elsewhere}/v2/b/tags/list?last=v1>; rel="next"`);
    response.end(bodyOf(url));
  });
  assert.deepEqual(await clientOf(t, host).tags(parseReference(`${host}/a`)), ["v1", "v1"]);
  assert.deepEqual(asked, ["/v2/a/tags/list?n=1000", "/v2/a/tags/list?last=v1"]);
  assert.deepEqual(strangers, []);
});

test("half a million tags on one page are read; a page without an end is refused", async (t) => {
  const many = JSON.stringify({ tags: Array.from({ length: 500_000 }, (_, index) => `v${index}`) });
  const host = await serve(t, ({ url = "" }, response) => {
    if (!url.includes("/endless/")) return void response.end(many);
    const piece = Buffer.alloc(1 << 20, " ");
    const more = () => {
      while (!response.destroyed && response.write(piece));
    };
    response.on("drain", more);
    more();
  });
  const client = clientOf(t, host);
  assert.equal((await client.tags(parseReference(`${host}/many`))).length, 500_000);
  await assert.rejects(client.tags(parseReference(`${host}/endless/a`)), /more than 8388608 bytes/);
});

test("a list is bounded in pages, bytes and time", async () => {
  const request = {
    method: "GET" as const,
    path: "a/tags/list?n=1",
    asked: { what: "registry" as const, reference: parseReference("x/a") },
    scope: "",
  };
  let page = 0;
  const reply = (): Reply => ({
    status: 200,
    headers: { link: `</?last=${page++}>; rel="next"` },
    body: Buffer.alloc(100),
  });
  const limits = { pages: 20, bytes: 10_000, milliseconds: 60_000 };
  const ask = () => Promise.resolve(reply());
  const read = (listing: Partial<Parameters<typeof pagesOf>[0]>) =>
    Array.fromAsync(pagesOf({ ask, request, what: "the tags", limits, ...listing }));
  await assert.rejects(read({}), new InvalidArgument("the tags do not end: there are more than 20 pages"));
  await assert.rejects(
    read({ limits: { ...limits, bytes: 500 } }),
    new InvalidArgument("the tags do not end: there are more than 500 bytes"),
  );
  const never = (_page: unknown, signal?: AbortSignal) =>
    new Promise<Reply>((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
  await assert.rejects(read({ ask: never, limits: { ...limits, milliseconds: 20 } }), Unavailable);
});
