import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { builtinKinds, type Kind, type KubeObject } from "@boxship/api";
import { FakeClock, silentLogger } from "@boxship/base";
import { openSqliteStore, type Store } from "@boxship/store";
import { tempDir } from "@boxship/testkit";
import { Versions } from "../conversion/versions.ts";
import { ObjectStore } from "./object-store.ts";
import { PLAIN_VALUES } from "./value-codec.ts";

const kind = builtinKinds().find(({ group, resource }) => group === "" && resource === "configmaps") as Kind;
const object = (name: string, value: string): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "n" },
  data: { value },
});
const open = (store: Store): Promise<ObjectStore> =>
  ObjectStore.open({
    store,
    clock: new FakeClock(),
    logger: silentLogger,
    codecFor: () => PLAIN_VALUES,
    versions: new Versions(() => Promise.reject(new Error("nobody converts"))),
  });

test("what is read from memory is as new as all that was acknowledged, whoever wrote it, listed or not", async () => {
  await using directory = tempDir();
  await using store = await openSqliteStore({ path: directory.join("state.db") });
  // Two that know nothing of each other but the store.
  await using one = await open(store);
  await using other = await open(store);
  const names = ["a", "b", "c"];
  for (const name of names) await one.create(kind, object(name, "0"));
  const newest = new Map<string, number>();
  let served = 0;
  const write = async (name: string): Promise<void> => {
    for (let round = 1; round <= 60; round++) {
      const objects = round % 2 === 0 ? one : other;
      const current = await objects.get(kind, "n", name);
      if (round % 15 === 0 && current !== undefined) {
        assert.notEqual(await objects.delete(current.key, current.revision), undefined);
        assert.equal(await one.get(kind, "n", name), undefined);
        newest.set(name, (await other.create(kind, object(name, "again"))).revision);
      } else {
        const written = await objects.update(kind, object(name, `${round}`), current?.revision ?? 0);
        assert.notEqual(written, undefined, "nobody else writes it");
        newest.set(name, written?.revision ?? 0);
      }
    }
  };
  const done = new AbortController();
  const read = async (objects: ObjectStore): Promise<void> => {
    while (!done.signal.aborted) {
      for (const name of names) {
        const atLeast = newest.get(name) ?? 0;
        const found = objects.get(kind, "n", name);
        if (!(found instanceof Promise)) served++;
        const shown = await found;
        if (shown !== undefined) assert.ok(shown.revision >= atLeast, `${name}: ${shown.revision}, not ${atLeast}`);
      }
      await turn();
    }
  };
  const half = async (): Promise<void> => {
    while ((newest.get("a") ?? 0) < 100) await turn();
    await other.cache(kind);
  };
  const reading = Promise.all([read(one), read(other), half()]);
  await Promise.all(names.map(write));
  done.abort();
  await reading;
  assert.ok(served > 0, "some came from memory");
  for (const objects of [one, other]) {
    await objects.get(kind, "n", "a");
    assert.ok(!(objects.get(kind, "n", "a") instanceof Promise), "what nobody changes comes without waiting");
  }
});

test("memory of single objects is bounded, and a change takes out what it changed", async () => {
  await using directory = tempDir();
  await using store = await openSqliteStore({ path: directory.join("state.db") });
  await using objects = await open(store);
  const large = "x".repeat(700_000);
  const names = ["a", "b", "c", "d", "e", "f", "g", "h"];
  for (const name of names) await objects.create(kind, object(name, large));
  for (const name of names) await objects.get(kind, "n", name);
  const kept = names.filter((name) => !(objects.get(kind, "n", name) instanceof Promise));
  assert.ok(kept.length >= 1 && kept.length <= 6, kept.join());
});
