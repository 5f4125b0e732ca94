import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { failure, type KubeObject } from "@boxship/api";
import { FakeClock, silentLogger as logger, Unavailable } from "@boxship/base";
import { startApiServer, type TestApiServer } from "@boxship/testkit";
import { loadKubeconfig } from "../config/load-kubeconfig.ts";
import type { ApiClient, ObjectList, WatchEvent } from "../contract.ts";
import { openHttpClient } from "../http/http-client.ts";
import { Informer } from "./informer.ts";

const MAPS = { group: "", version: "v1", resource: "configmaps", namespace: "default" } as const;

const map = (name: string, value: string, labels: Record<string, string> = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, labels },
  data: { value },
});

function valueOf(object: KubeObject | undefined): string | undefined {
  return (object?.["data"] as { readonly value?: string } | undefined)?.value;
}

/** Waits for what an event of the server will make true. */
async function eventually(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, "it did not come to that");
    await delay(5);
  }
}

function told(informer: Informer<KubeObject>): string[] {
  const lines: string[] = [];
  informer.handle({
    added: (object) => void lines.push(`+${object.metadata.name}=${valueOf(object)}`),
    updated: (object, old) => void lines.push(`~${object.metadata.name}=${valueOf(old)}>${valueOf(object)}`),
    deleted: (object) => void lines.push(`-${object.metadata.name}=${valueOf(object)}`),
  });
  return lines;
}

describe("an informer at a server", () => {
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

  test("knows what is there, in pages, and follows; over cuts and restarts without gaps", async () => {
    for (const name of ["a", "b", "c"]) await client.create(MAPS, map(name, "1", { follow: "yes" }));
    await client.create(MAPS, map("other", "1"));
    await using informer = new Informer({
      client,
      logger,
      collection: MAPS,
      labelSelector: "follow=yes",
      pageSize: 2,
      indexers: { value: (object) => [valueOf(object) ?? ""] },
    }).start();
    const lines = told(informer);
    await informer.synced;
    assert.deepEqual(lines, ["+a=1", "+b=1", "+c=1"]);
    assert.ok(Object.isFrozen(informer.get("default/a")?.metadata.labels));
    await client.patch({ ...MAPS, name: "a" }, "merge", { data: { value: "2" } });
    await eventually(() => valueOf(informer.get("default/a")) === "2");
    server.cutConnections();
    await client.patch({ ...MAPS, name: "b" }, "merge", { data: { value: "2" } }).catch(() => {});
    await client.patch({ ...MAPS, name: "b" }, "merge", { data: { value: "2" } });
    await eventually(() => informer.find("value", "2").length === 2);
    assert.deepEqual(
      informer.find("value", "1").map(({ metadata }) => metadata.name),
      ["c"],
    );
    await server.stop();
    await server.start();
    // A connection that the informer began before, and that is refused, is everybody's.
    await client.get({ ...MAPS, name: "c" }).catch(() => {});
    await client.delete({ ...MAPS, name: "c" });
    await client.create(MAPS, map("d", "1", { follow: "yes" }));
    await eventually(() => informer.get("default/d") !== undefined);
    assert.deepEqual(lines.slice(3), ["~a=1>2", "~b=1>2", "-c=1", "+d=1"]);
  });
});

/** A server that answers as it is told, for what no real one does on demand. */
function scripted(script: {
  readonly lists: (() => ObjectList<KubeObject>)[];
  readonly watches: ((from: string) => AsyncIterable<WatchEvent<KubeObject>>)[];
}): ApiClient {
  const next = <Part>(parts: Part[]): Part => {
    const part = parts.shift();
    if (part === undefined) throw new Error("the script is over");
    return part;
  };
  return {
    list: async () => next(script.lists)(),
    watch: (_: unknown, { resourceVersion = "" }: { readonly resourceVersion?: string } = {}) =>
      next(script.watches)(resourceVersion),
  } as unknown as ApiClient;
}

const versioned = (name: string, resourceVersion: string, uid = name): KubeObject => ({
  ...map(name, resourceVersion),
  metadata: { name, namespace: "default", uid, resourceVersion },
});

const never = (): AsyncIterable<WatchEvent<KubeObject>> => ({
  [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }),
});

describe("an informer whose server", () => {
  test("no longer has its version lists again and tells the difference", async () => {
    const lists = [
      () => ({ items: [versioned("a", "1"), versioned("b", "1"), versioned("c", "1")], resourceVersion: "1" }),
      () => ({
        items: [versioned("b", "5"), versioned("c", "6", "another"), versioned("d", "4")],
        resourceVersion: "6",
      }),
    ];
    const from: string[] = [];
    const watches = [
      async function* (version: string): AsyncGenerator<WatchEvent<KubeObject>> {
        from.push(version);
        yield { type: "BOOKMARK", resourceVersion: "3" };
        throw new Unavailable("cut");
      },
      (version: string): AsyncIterable<WatchEvent<KubeObject>> => {
        from.push(version);
        throw failure("Expired", "too old resource version");
      },
      (version: string) => {
        from.push(version);
        return never();
      },
    ];
    const clock = new FakeClock();
    const informer = new Informer({ client: scripted({ lists, watches }), logger, clock, collection: MAPS }).start();
    const lines = told(informer);
    await informer.synced;
    await eventually(() => clock.waiting > 0);
    await clock.advance(2000);
    await eventually(() => from.length === 3);
    // A bookmark counts as seen; the list begins anew.
    assert.deepEqual(from, ["1", "3", "6"]);
    assert.deepEqual(lines, ["+a=1", "+b=1", "+c=1", "-a=1", "~b=1>5", "-c=1", "+c=6", "+d=4"]);
  });

  test("does not answer waits longer each time", async () => {
    const clock = new FakeClock();
    let asked = 0;
    const client = {
      list: async () => {
        asked++;
        throw new Unavailable("away");
      },
    } as unknown as ApiClient;
    const informer = new Informer({ client, logger, clock, collection: MAPS }).start();
    for (let round = 0; round < 100; round++) await clock.advance(6000);
    // Ten minutes: waits of 0.8 s doubled to 30 s, each up to twice as long.
    assert.ok(asked >= 12 && asked <= 30, String(asked));
    assert.equal(informer.hasSynced, false);
    await informer[Symbol.asyncDispose]();
  });
});
