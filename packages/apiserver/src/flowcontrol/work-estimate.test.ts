import assert from "node:assert/strict";
import { test } from "node:test";
import type { RequestInfo } from "../contract.ts";
import { estimateList, estimateWrite } from "./work-estimate.ts";

const info = (verb: string, name = "", subresource = "", resource = "pods"): RequestInfo => ({
  verb,
  path: "/",
  resource: { group: "", version: "v1", resource, namespace: "", name, subresource },
});

/** As upstream's work estimator says by the size of objects. */
const LISTS: readonly (readonly [query: string, count: number, bytes: number, seats: number])[] = [
  ["", 0, 0, 1],
  ["", 1000, 1_000_000, 10],
  ["", 1000, 50_000_000, 10],
  ["resourceVersion=0", 1000, 50_000_000, 10],
  ["limit=100", 1000, 1_000_000, 1],
  ["limit=1000", 10_000, 10_000_000, 10],
  ["limit=500&resourceVersion=7", 1000, 1_000_000, 5],
  ["resourceVersionMatch=Exact&resourceVersion=7", 1000, 5_000_000, 50],
  ["resourceVersionMatch=Exact&resourceVersion=7", 1000, 50_000_000, 100],
  ["resourceVersionMatch=NotOlderThan&resourceVersion=7&limit=100", 1000, 50_000_000, 10],
  ["continue=x&limit=100", 1000, 10_000_000, 10],
  ["continue=x&limit=100&labelSelector=a", 1000, 10_000_000, 50],
];

test("lists are as wide as what they have in hand", () => {
  for (const [query, count, bytes, seats] of LISTS) {
    const found = estimateList(info("list"), new URLSearchParams(query), { count, bytes });
    assert.equal(found.seats, seats, `${query} of ${count} objects in ${bytes} bytes`);
  }
  const large = { count: 1000, bytes: 50_000_000 };
  const seats = (verb: string, query: string, most?: number, name?: string): number =>
    estimateList(info(verb, name), new URLSearchParams(query), large, most).seats;
  assert.equal(seats("list", "", 3), 3, "no wider than its level lets anybody be");
  assert.equal(seats("list", "fieldSelector=metadata.name%3Da", undefined, "a"), 1);
  assert.equal(seats("watch", ""), 1);
  assert.equal(seats("watch", "sendInitialEvents=true&resourceVersionMatch=NotOlderThan"), 10);
  assert.equal(estimateList(info("list"), new URLSearchParams(), undefined).seats, 1);
});

test("writes take what it is to tell their watchers afterwards", () => {
  const create = info("create");
  assert.deepEqual(estimateWrite(create, 9, undefined), { seats: 1, finalSeats: 0, finalMs: 0 });
  assert.deepEqual(estimateWrite(create, 25, undefined), { seats: 1, finalSeats: 3, finalMs: 5 });
  assert.deepEqual(estimateWrite(create, 1000, undefined), { seats: 1, finalSeats: 10, finalMs: 50 });
  assert.deepEqual(estimateWrite(create, 1000, 4), { seats: 1, finalSeats: 4, finalMs: 125 });
  assert.equal(estimateWrite(info("create", "a", "token", "serviceaccounts"), 1000, 4).finalSeats, 0);
});
