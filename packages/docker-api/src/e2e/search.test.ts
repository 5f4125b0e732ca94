import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { pushFixture, startRegistry } from "@boxship/testkit";
import { type EngineUnderTest, startEngineUnderTest } from "../testing/engine-under-test.ts";

let engine: EngineUnderTest;
before(async () => {
  engine = await startEngineUnderTest();
});
after(() => engine[Symbol.asyncDispose]());

const search = (query: Record<string, string>) =>
  engine.client.call("GET", `/images/search?${new URLSearchParams(query).toString()}`);

test("search looks through the catalogue of a registry that has no search", { timeout: 60_000 }, async () => {
  await using registry = await startRegistry();
  for (const name of ["team/web:1", "team/web-admin:1", "other:1"]) {
    await pushFixture(registry, name, { layers: [{ entries: [{ name: "f", content: name }] }] });
  }
  for (const docker of engine.docker) {
    const found = await docker.ok(["search", "--format", "{{.Name}} {{.StarCount}}", `${registry.host}/web`]);
    const names = ["team/web", "team/web-admin"].map((name) => `${registry.host}/${name} 0`);
    assert.deepEqual(found.split("\n").sort(), names.sort(), docker.version);
  }
  const one = await search({ term: `${registry.host}/team`, limit: "1" });
  assert.equal((JSON.parse(one.text) as unknown[]).length, 1);
  const official = await search({ term: `${registry.host}/team`, filters: '{"is-official":["true"]}' });
  assert.deepEqual(JSON.parse(official.text), []);
});

test("search asks a registry that can, and says who cannot", { timeout: 60_000 }, async () => {
  await using stack = new AsyncDisposableStack();
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    const results = [
      { name: "a/web", description: "one\nline", star_count: 7, is_official: true, is_automated: false },
      { name: "b/web", star_count: 2 },
    ];
    const isSearch = request.url?.startsWith("/v1/search?") === true && request.headers.host !== "none";
    response.writeHead(isSearch ? 200 : 404, { "content-type": "application/json" });
    response.end(isSearch ? JSON.stringify({ results }) : '{"errors":[{"code":"NOT_FOUND","message":"no"}]}');
  });
  stack.defer(async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { status, text } = await search({ term: `${host}/web`, filters: '{"stars":["3"]}' });
  assert.equal(status, 200, text);
  assert.deepEqual(JSON.parse(text), [
    { name: `${host}/a/web`, description: "one\nline", star_count: 7, is_official: true, is_automated: false },
  ]);
  assert.equal(asked.at(-1), "/v1/search?q=web&n=25");
  server.removeAllListeners("request").on("request", (_request, response) => response.writeHead(404).end());
  const refused = await search({ term: `${host}/web` });
  assert.equal(refused.status, 501);
  assert.match(refused.text, /neither a search nor a catalogue/);
});

test("search refuses what it cannot read", async () => {
  const message = async (query: Record<string, string>) => {
    const { status, text } = await search(query);
    assert.equal(status, 400, text);
    return (JSON.parse(text) as { message: string }).message;
  };
  assert.equal(await message({ term: "x", limit: "101" }), "limit 101 is outside the range of [1, 100]");
  assert.match(await message({ limit: "1" }), /parameter term/);
  assert.match(await message({ term: "http://x/y" }), /invalid search term/);
  assert.equal(await message({ term: "x", filters: '{"colour":["red"]}' }), "invalid filter 'colour'");
  assert.equal(await message({ term: "x", filters: '{"stars":["many"]}' }), "invalid filter 'stars=many'");
  const absent = await search({ term: "127.0.0.1:1/x" });
  assert.deepEqual([absent.status, /127\.0\.0\.1:1/.test(absent.text)], [503, true], absent.text);
});
