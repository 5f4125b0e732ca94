import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type KubeObject, statusOf } from "@boxship/api";
import { AlreadyExists, BoxshipError, Conflict, InvalidArgument, NotFound, Unavailable } from "@boxship/base";
import { startApiServer, type TestApiServer } from "@boxship/testkit";
import { loadKubeconfig } from "../config/load-kubeconfig.ts";
import type { ApiClient, WatchEvent } from "../contract.ts";
import { openHttpClient } from "./http-client.ts";
import type { ConnectionOptions } from "./options.ts";

const MAPS = { group: "", version: "v1", resource: "configmaps", namespace: "default" } as const;

function map(name: string, data: Record<string, string> = {}, labels: Record<string, string> = {}): KubeObject {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, labels }, data };
}

const TRANSPORTS: Readonly<Record<string, (server: TestApiServer) => Promise<ConnectionOptions>>> = {
  "over HTTPS": async ({ kubeconfig }) => (await loadKubeconfig(kubeconfig)).connection,
  "in the server's process": async (server) => ({
    server: "http://in-process",
    createConnection: () => server.connect(),
  }),
};

for (const [where, connectionTo] of Object.entries(TRANSPORTS)) {
  describe(`the client ${where}`, () => {
    let server: TestApiServer;
    let client: ApiClient;

    before(async () => {
      server = await startApiServer();
      client = openHttpClient(await connectionTo(server));
    });

    after(async () => {
      await client?.[Symbol.asyncDispose]();
      await server?.[Symbol.asyncDispose]();
    });

    test("objects are made, read, changed and deleted", async () => {
      const made = await client.create(MAPS, map("one", { a: "1" }));
      assert.ok(made.metadata.uid);
      const ref = { ...MAPS, name: "one" };
      assert.deepEqual(await client.get(ref), made);
      const changed = await client.update(ref, { ...made, data: { a: "2" } });
      assert.deepEqual(changed["data"], { a: "2" });
      await assert.rejects(client.update(ref, { ...made, data: { a: "3" } }), Conflict);
      const patched = await client.patch(ref, "merge", { data: { b: "1" } });
      assert.deepEqual(patched["data"], { a: "2", b: "1" });
      await client.patch(ref, "json", [{ op: "remove", path: "/data/a" }]);
      await client.patch(ref, "strategic", { metadata: { labels: { x: "y" } } });
      const { data, metadata } = await client.patch(ref, "apply", map("one", { c: "1" }), { fieldManager: "test" });
      assert.deepEqual([data, metadata.labels], [{ b: "1", c: "1" }, { x: "y" }]);
      await client.update(ref, { ...made, data: { gone: "1" }, metadata: { name: "one" } }, { dryRun: true });
      assert.deepEqual((await client.get(ref))["data"], { b: "1", c: "1" });
      await client.delete(ref, { preconditions: { uid: made.metadata.uid ?? "" } });
      await assert.rejects(client.get(ref), NotFound);
    });

    test("lists have selectors and pages", async () => {
      const names = ["p1", "p2", "p3", "p4", "p5"];
      for (const name of names) await client.create(MAPS, map(name, {}, { set: "pages" }));
      const labelSelector = "set=pages";
      const found: string[] = [];
      let page = await client.list(MAPS, { labelSelector, limit: 2 });
      assert.equal(page.items.length, 2);
      assert.equal(page.items[0]?.kind, "ConfigMap");
      for (;;) {
        found.push(...page.items.map(({ metadata }) => metadata.name ?? ""));
        if (page.continue === undefined) break;
        page = await client.list(MAPS, { labelSelector, limit: 2, continue: page.continue });
      }
      assert.deepEqual(found, names);
      await client.deleteCollection(MAPS, { labelSelector });
      assert.deepEqual((await client.list(MAPS, { labelSelector })).items, []);
    });

    test("a watch tells changes from a version on, until it is left", async () => {
      const { resourceVersion } = await client.list(MAPS);
      await client.create(MAPS, map("watched", { a: "1" }));
      await client.patch({ ...MAPS, name: "watched" }, "merge", { data: { a: "2" } });
      await client.delete({ ...MAPS, name: "watched" });
      const seen: string[] = [];
      for await (const event of client.watch(MAPS, { resourceVersion })) {
        if (event.type === "BOOKMARK") continue;
        seen.push(`${event.type} ${JSON.stringify(event.object["data"])}`);
        if (event.type === "DELETED") break;
      }
      assert.deepEqual(seen, ['ADDED {"a":"1"}', 'MODIFIED {"a":"2"}', 'DELETED {"a":"2"}']);
    });

    test("a watch ends with its signal, and one of a version that is gone says so", async () => {
      const controller = new AbortController();
      const watching = (async () => {
        const events: WatchEvent<KubeObject>[] = [];
        for await (const event of client.watch(MAPS, { resourceVersion: "0", signal: controller.signal })) {
          events.push(event);
          controller.abort(new Error("enough"));
        }
        return events;
      })();
      const ended = assert.rejects(watching, /enough/);
      await client.create(MAPS, map("ending"));
      await ended;
      await assert.rejects(client.get({ ...MAPS, name: "x" }, { signal: AbortSignal.abort(new Error("no")) }), /no/);
    });

    test("failures are of the closed set and carry the server's status", async () => {
      await client.create(MAPS, map("twice"));
      await assert.rejects(client.create(MAPS, map("twice")), AlreadyExists);
      const failed = await client.create(MAPS, map("Not A Name")).catch((error: unknown) => error);
      assert.ok(failed instanceof InvalidArgument);
      assert.equal(statusOf(failed)?.reason, "Invalid");
      assert.match(failed.message, /metadata\.name: Invalid value/);
      await assert.rejects(client.getRaw("/apis/none.example/v1"), (error: unknown) => error instanceof BoxshipError);
      const version = (await client.getRaw("/version")) as { readonly gitVersion?: string };
      assert.match(version.gitVersion ?? "", /^v1\.36/);
    });

    test("two connections do not know of each other", async () => {
      await using second = openHttpClient(await connectionTo(server));
      await Promise.all(Array.from({ length: 50 }, (_, index) => second.create(MAPS, map(`many-${index}`))));
      const big = { a: "x".repeat(900_000) };
      assert.deepEqual((await second.create(MAPS, map("big", big)))["data"], big);
      assert.ok((await client.list(MAPS)).items.length > 50);
    });
  });
}

describe("the client over a network", () => {
  let server: TestApiServer;
  let client: ApiClient;

  before(async () => {
    server = await startApiServer();
    client = openHttpClient((await loadKubeconfig(server.kubeconfig)).connection);
  });

  after(async () => {
    await client?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
  });

  test("who is not known is refused, and who knows another authority refuses", async () => {
    const { connection } = await loadKubeconfig(server.kubeconfig);
    const { certificate: _c, key: _k, ...nobody } = connection;
    await using anonymous = openHttpClient(nobody);
    await assert.rejects(anonymous.list(MAPS), { name: "PermissionDenied" });
    await using wrong = openHttpClient({ ...nobody, token: "nobody's" });
    await assert.rejects(wrong.list(MAPS), { name: "PermissionDenied", message: "Unauthorized" });
    const { authority: _a, ...trustless } = nobody;
    await using careful = openHttpClient(trustless);
    await assert.rejects(careful.list(MAPS), Unavailable);
    await using careless = openHttpClient({ ...trustless, insecure: true });
    await assert.rejects(careless.list(MAPS), { name: "PermissionDenied" });
  });

  test("who has another certificate asks by it from then on, and what is under way goes on", async () => {
    const { certificate = "", key = "", ...rest } = (await loadKubeconfig(server.kubeconfig)).connection;
    let identity = { certificate, key };
    await using changing = openHttpClient({ ...rest, identity: () => identity });
    const { resourceVersion } = await changing.list(MAPS);
    const watching = changing.watch(MAPS, { resourceVersion })[Symbol.asyncIterator]();
    const heard = watching.next();
    await changing.list(MAPS);
    // None at all: nobody.
    identity = { certificate: "", key: "" };
    await assert.rejects(changing.list(MAPS), /system:anonymous/);
    await client.create(MAPS, map("heard"));
    assert.equal((await heard).value?.object.metadata.name, "heard");
    identity = { certificate, key };
    await changing.list(MAPS);
    await watching.return?.();
  });

  test("a connection that is cut is made again; where nobody listens, that is said", async () => {
    await client.list(MAPS);
    server.cutConnections();
    await client.list(MAPS).catch(() => {});
    assert.ok((await client.list(MAPS)).resourceVersion);
    await using nowhere = openHttpClient({ server: "https://127.0.0.1:1" });
    await assert.rejects(nowhere.list(MAPS), {
      name: "Unavailable",
      message: /127\.0\.0\.1:1 does not answer: .*ECONNREFUSED/,
    });
  });
});
