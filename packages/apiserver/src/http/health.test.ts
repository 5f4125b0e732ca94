import assert from "node:assert/strict";
import { test } from "node:test";
import { healthReply } from "./health.ts";

const checks = [
  { name: "ping", check: () => {} },
  { name: "store", check: () => Promise.reject(new Error("of which nobody is told")) },
  { name: "late", check: () => {}, onlyReadiness: true },
];

async function ask(target: string): Promise<readonly [status: number | undefined, text: string]> {
  const { pathname, searchParams } = new URL(target, "http://x");
  const reply = await healthReply(pathname, searchParams, checks);
  return [reply?.status, Buffer.concat([...(reply?.body ?? [])]).toString()];
}

test("health is told as upstream tells it", async () => {
  assert.deepEqual(await ask("/livez"), [500, "[+]ping ok\n[-]store failed: reason withheld\nlivez check failed\n"]);
  assert.deepEqual(await ask("/livez?exclude=store"), [200, "ok"]);
  assert.deepEqual(await ask("/readyz?verbose&exclude=store&exclude=x"), [
    200,
    `[+]ping ok\n[+]store excluded: ok\n[+]late ok\nwarn: some health checks cannot be excluded: no matches for "x"\nreadyz check passed\n`,
  ]);
  assert.deepEqual(await ask("/livez/ping"), [200, "ok"]);
  assert.deepEqual(await ask("/livez/store"), [500, "internal server error: reason withheld\n"]);
  assert.deepEqual(await ask("/livez/late"), [404, "404 page not found\n"]);
  assert.deepEqual(await ask("/version"), [undefined, ""]);
});
