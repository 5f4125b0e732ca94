import assert from "node:assert/strict";
import { BlockList } from "node:net";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  addressBits,
  contains,
  type Family,
  formatAddress,
  formatPrefix,
  lastAddress,
  overlaps,
  type Prefix,
  parseAddress,
  parsePrefix,
  prefixOf,
  prefixSize,
  usableRange,
} from "./prefix.ts";

const family = fc.constantFrom<Family>(4, 6);
const address = family.chain((kind) =>
  fc.bigInt({ min: 0n, max: (1n << BigInt(addressBits(kind))) - 1n }).map((value) => ({ family: kind, value })),
);
const prefix = address.chain((inside) =>
  fc.integer({ min: 0, max: addressBits(inside.family) }).map((length) => prefixOf(inside, length)),
);

describe("prefixes", () => {
  it("go to text and back", () => {
    fc.assert(fc.property(address, (value) => assert.deepEqual(parseAddress(formatAddress(value)), value)));
    fc.assert(fc.property(prefix, (value) => assert.deepEqual(parsePrefix(formatPrefix(value)), value)));
  });

  it("contain exactly what the runtime's block list matches", () => {
    fc.assert(
      fc.property(prefix, address, (range, value) => {
        fc.pre(range.family === value.family);
        const list = new BlockList();
        const kind = range.family === 4 ? "ipv4" : "ipv6";
        list.addSubnet(formatAddress(range), range.length, kind);
        // Of IPv6 text that embeds IPv4 the block list makes an IPv4 address.
        fc.pre(!formatAddress(value).includes(".") || range.family === 4);
        assert.equal(contains(range, value), list.check(formatAddress(value), kind));
      }),
    );
  });

  it("overlap when one holds an end of the other", () => {
    fc.assert(
      fc.property(prefix, prefix, (a, b) => {
        const touches = (x: Prefix, y: Prefix): boolean => contains(x, { family: y.family, value: y.value });
        assert.equal(overlaps(a, b), touches(a, b) || touches(b, a));
        assert.equal(overlaps(a, b), overlaps(b, a));
      }),
    );
  });

  it("end where the next one begins", () => {
    fc.assert(
      fc.property(prefix, (range) => {
        assert.equal(lastAddress(range).value - range.value + 1n, prefixSize(range));
        assert.ok(contains(range, lastAddress(range)));
        const { first, last } = usableRange(range);
        assert.ok(first <= last && first >= range.value && last <= lastAddress(range).value);
      }),
    );
  });

  it("refuses what is none, and host bits", () => {
    for (const text of ["10.0.0.0", "10.0.0.0/33", "::/129", "x/8", "/8", "10.0.0.0/-1", "10.0.0.0/8/8"]) {
      assert.throws(() => parsePrefix(text), { code: "InvalidArgument" });
    }
    assert.throws(() => parsePrefix("10.1.2.3/16"), {
      message: "invalid subnet 10.1.2.3/16: it should be 10.1.0.0/16",
    });
  });
});
