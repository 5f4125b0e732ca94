import assert from "node:assert/strict";
import { test } from "node:test";
import { parseBalancerPool } from "./balancer-pool.ts";

test("pools are addresses, networks and ranges", () => {
  assert.deepEqual(parseBalancerPool("10.0.0.5, 10.0.0.254-10.0.1.1,192.0.2.0/29,10.0.0.5"), [
    "10.0.0.5",
    "10.0.0.254",
    "10.0.0.255",
    "10.0.1.0",
    "10.0.1.1",
    ...[1, 2, 3, 4, 5, 6].map((last) => `192.0.2.${last}`),
  ]);
  assert.deepEqual(parseBalancerPool("192.0.2.7/31"), ["192.0.2.6", "192.0.2.7"]);
  assert.deepEqual(parseBalancerPool("fd00::fffe-fd00::1:1,FD00:1::/126"), [
    "fd00::fffe",
    "fd00::ffff",
    "fd00::1:0",
    "fd00::1:1",
    "fd00:1::1",
    "fd00:1::2",
  ]);
  for (const wrong of [
    "",
    "x",
    "10.0.0.300",
    "10.0.0.9-10.0.0.1",
    "10.0.0.0/33",
    "10.0.0.0/8",
    "1-2-3",
    "fd00::/64",
    "10.0.0.1-fd00::1",
  ]) {
    assert.throws(() => parseBalancerPool(wrong), { code: "InvalidArgument" }, wrong);
  }
});
