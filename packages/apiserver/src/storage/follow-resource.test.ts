import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { Kind } from "@boxship/api";
import { FakeClock, silentLogger } from "@boxship/base";
import type { ServerContext } from "../server-context.ts";
import { followResource } from "./follow-resource.ts";
import { ResourceCache } from "./resource-cache.ts";

test("a resource is followed again after changes were missed, however often the store fails, and not once let go of", async () => {
  const clock = new FakeClock();
  const caches: ResourceCache[] = [];
  let failures = 0;
  const freshCache = async (): Promise<ResourceCache> => {
    if (failures-- > 0) throw new Error("the store is away");
    caches.push(new ResourceCache([], caches.length + 1));
    return caches.at(-1) as ResourceCache;
  };
  const context = { objects: { freshCache }, clock, logger: silentLogger } as unknown as ServerContext;
  const begun: (ResourceCache | undefined)[] = [];
  const pass = async (): Promise<void> => {
    await clock.advance(1000);
    await turn();
  };
  {
    using _following = await followResource(context, { resource: "things" } as Kind, {
      begin: (cache) => void begun.push(cache),
      changed: () => {},
    });
    assert.equal(begun.length, 1);
    failures = 2;
    caches[0]?.end();
    await pass();
    await pass();
    assert.equal(begun.length, 1);
    await pass();
    assert.deepEqual(begun, caches);
    assert.equal(begun.length, 2);
    caches[1]?.end();
  }
  await pass();
  assert.equal(caches.length, 2, "nobody follows any more");
  failures = 1;
  await assert.rejects(followResource(context, { resource: "things" } as Kind, { changed: () => {} }), /away/);
});
