import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CAPABILITY_NAMES } from "@boxship/kernel";
import { DEFAULT_CAPABILITIES, resolveCapabilities } from "./capabilities.ts";

const all = new Set<string>(CAPABILITY_NAMES);

function mask(names: readonly string[]): string {
  return names
    .reduce((bits, name) => bits | (1n << BigInt(CAPABILITY_NAMES.findIndex((known) => known === name))), 0n)
    .toString(16);
}

describe("the capabilities of a container", () => {
  test("are Docker's fourteen by default", () => {
    assert.equal(mask(resolveCapabilities({}, all)), "a80425fb");
    assert.equal(DEFAULT_CAPABILITIES.length, 14);
  });

  test("names may be short and in any case", () => {
    assert.ok(resolveCapabilities({ add: ["net_admin", "CAP_sys_time"] }, all).includes("CAP_NET_ADMIN"));
    assert.ok(!resolveCapabilities({ drop: ["Chown"] }, all).includes("CAP_CHOWN"));
  });

  test("ALL in either list", () => {
    assert.equal(resolveCapabilities({ add: ["ALL"] }, all).length, 41);
    assert.equal(resolveCapabilities({ add: ["all"], drop: ["MKNOD"] }, all).length, 40);
    assert.deepEqual(resolveCapabilities({ drop: ["ALL"] }, all), []);
    assert.deepEqual(resolveCapabilities({ drop: ["ALL"], add: ["CHOWN"] }, all), ["CAP_CHOWN"]);
    assert.equal(resolveCapabilities({ privileged: true, drop: ["MKNOD"] }, all).length, 41);
  });

  test("ALL is what the host has", () => {
    const host = new Set(CAPABILITY_NAMES.filter((name) => name !== "CAP_SYS_RESOURCE"));
    assert.ok(!resolveCapabilities({ privileged: true }, host).includes("CAP_SYS_RESOURCE"));
    assert.throws(() => resolveCapabilities({ add: ["SYS_RESOURCE"] }, host), {
      message:
        'invalid CapAdd: capability not supported by your kernel or not available in the current environment: "CAP_SYS_RESOURCE"',
    });
  });

  test("unknown names are refused", () => {
    assert.throws(() => resolveCapabilities({ add: ["NOPE"] }, all), {
      message: 'invalid CapAdd: unknown capability: "CAP_NOPE"',
    });
    assert.throws(() => resolveCapabilities({ drop: ["NOPE"] }, all), {
      message: 'invalid CapDrop: unknown capability: "CAP_NOPE"',
    });
  });
});
