import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { contains, parseAddress, parsePrefix } from "../ip/prefix.ts";
import { AddressSet } from "./address-set.ts";

const subnet = fc.constantFrom(
  "10.1.2.0/29",
  "10.1.2.0/24",
  "10.1.2.4/31",
  "10.1.2.4/32",
  "fd00:1::/125",
  "fd00:1::/64",
);

describe("addresses of a subnet", () => {
  it("are handed out once, inside the subnet, until released", () => {
    const step = fc.oneof(fc.constant("allocate" as const), fc.nat(40));
    fc.assert(
      fc.property(subnet, fc.array(step, { maxLength: 120 }), (text, steps) => {
        const prefix = parsePrefix(text);
        const set = new AddressSet({ subnet: prefix, networkName: "n" });
        const held: string[] = [];
        for (const action of steps) {
          if (action === "allocate") {
            try {
              const address = set.allocate();
              assert.ok(contains(prefix, parseAddress(address)));
              assert.ok(!held.includes(address));
              held.push(address);
            } catch (error) {
              assert.equal((error as { code?: string }).code, "ResourceExhausted");
              assert.ok(held.length >= 1);
            }
          } else if (action < held.length) {
            set.release(held.splice(action, 1)[0] ?? "");
          }
          assert.equal(set.size, held.length);
        }
      }),
    );
  });

  it("leave a released one unused as long as there are others", () => {
    const set = new AddressSet({ subnet: parsePrefix("10.1.2.0/29"), reserved: ["10.1.2.1"], networkName: "n" });
    assert.equal(set.allocate(), "10.1.2.2");
    set.release("10.1.2.2");
    assert.deepEqual(
      Array.from({ length: 4 }, () => set.allocate()),
      ["10.1.2.3", "10.1.2.4", "10.1.2.5", "10.1.2.6"],
    );
    assert.equal(set.allocate(), "10.1.2.2");
    assert.throws(() => set.allocate(), { code: "ResourceExhausted", message: /network n has no free address/ });
  });

  it("come from the range, while any of the subnet can be asked for", () => {
    const set = new AddressSet({
      subnet: parsePrefix("10.1.0.0/16"),
      range: parsePrefix("10.1.5.0/30"),
      reserved: ["10.1.5.1"],
      networkName: "n",
    });
    assert.equal(set.allocate(), "10.1.5.0");
    assert.equal(set.claim("10.1.200.1"), "10.1.200.1");
    assert.equal(set.allocate(), "10.1.5.2");
    assert.equal(set.allocate(), "10.1.5.3");
    assert.throws(() => set.allocate(), { code: "ResourceExhausted" });
    assert.throws(() => set.claim("10.1.200.1"), { code: "Conflict" });
    assert.throws(() => set.claim("10.1.5.1"), { code: "InvalidArgument" });
    assert.throws(() => set.claim("10.1.0.0"), { code: "InvalidArgument" });
    assert.throws(() => set.claim("10.1.255.255"), { code: "InvalidArgument" });
    assert.throws(() => set.claim("10.2.0.1"), { code: "InvalidArgument" });
    assert.throws(() => set.claim("fd00::1"), { code: "InvalidArgument" });
  });
});
