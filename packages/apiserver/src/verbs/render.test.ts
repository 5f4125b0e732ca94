import assert from "node:assert/strict";
import { test } from "node:test";
import { builtinKinds, KindRegistry } from "@boxship/api";
import type { ResourceRequest } from "../server-context.ts";
import { CachedObject } from "../storage/cached-object.ts";
import { viewOf } from "./render.ts";

test("lists of much that has to be read are made in turns, and say the same", async () => {
  const kind = new KindRegistry(builtinKinds()).find("", "v1", "configmaps");
  assert.ok(kind !== undefined);
  const objects = Array.from({ length: 30 }, (_, at) => {
    const metadata = { name: `map-${at}`, namespace: "default", resourceVersion: String(at + 1) };
    const text = JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata, data: { a: "x".repeat(100_000) } });
    return new CachedObject(`/registry/core/configmaps/default/map-${at}`, Buffer.from(text), at + 1);
  });
  for (const [form, encoding, least] of [
    ["table", "json", 5],
    ["metadata", "json", 5],
    ["object", "protobuf", 5],
    ["object", "json", 0],
  ] as const) {
    const view = viewOf({ kind, accept: { form, encoding }, query: new URLSearchParams() } as ResourceRequest);
    let [turns, done] = [0, false];
    const count = (): void => {
      turns++;
      if (!done) setImmediate(count);
    };
    setImmediate(count);
    const parts = await view.list(objects, { resourceVersion: "30" });
    done = true;
    assert.ok(turns >= least, `${form} as ${encoding} took ${turns} turns`);
    if (encoding !== "json") continue;
    const list = JSON.parse(Buffer.concat(parts).toString()) as { rows?: unknown[]; items?: unknown[] };
    assert.equal((list.rows ?? list.items)?.length, 30);
  }
});
