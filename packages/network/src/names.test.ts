import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  bridgeName,
  checkInstanceName,
  defaultBridgeName,
  isOwnLinkName,
  macForAddress,
  parentName,
  vethName,
} from "./names.ts";

const instance = fc.stringMatching(/^[a-z][a-z0-9-]{0,31}$/);
const id = fc.stringMatching(/^[0-9a-f]{64}$/);

describe("names in the kernel", () => {
  it("fit, and are known again by their own instance", () => {
    fc.assert(
      fc.property(instance, id, (name, network) => {
        checkInstanceName(name);
        const all = [defaultBridgeName(name), bridgeName(name, network), parentName(name, network), vethName(name)];
        for (const link of all) {
          assert.ok(link.length <= 15, link);
          assert.ok(isOwnLinkName(name, link), link);
        }
      }),
    );
  });

  it("are not taken for those of an instance with a similar name", () => {
    for (const [name, other] of [
      ["boxship", "boxship-test"],
      ["a", "a0"],
      ["a", "av"],
      ["a", "a-1"],
      ["boxship", "boxship2"],
    ] as const) {
      for (const [one, two] of [
        [name, other],
        [other, name],
      ] as const) {
        const links = [defaultBridgeName(two), bridgeName(two, "0".repeat(64)), vethName(two)];
        for (const link of links) assert.ok(!isOwnLinkName(one, link), `${link} is not of ${one}`);
      }
    }
    assert.ok(!isOwnLinkName("boxship", "boxship"));
    assert.ok(!isOwnLinkName("boxship", "eth0"));
  });

  it("an instance's name is refused when it cannot be one", () => {
    for (const name of ["", "A", "1a", "a_b", "a b", "a".repeat(33)]) {
      assert.throws(() => checkInstanceName(name), { code: "InvalidArgument" });
    }
  });

  it("interface addresses follow the IP address", () => {
    assert.equal(macForAddress(Uint8Array.of(172, 17, 0, 2)), "02:42:ac:11:00:02");
    assert.match(macForAddress(new Uint8Array(16)), /^02:42(:[0-9a-f]{2}){4}$/);
  });
});
