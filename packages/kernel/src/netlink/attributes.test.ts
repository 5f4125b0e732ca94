import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Attributes, eachAttribute, NetlinkWriter } from "./attributes.ts";
import { decodeMessages, encodeMessage } from "./message.ts";

const type = fc.integer({ min: 1, max: 0x3fff });
const bytes = fc.uint8Array({ maxLength: 700 });

describe("netlink codec", () => {
  it("reads back every attribute that it wrote, in order", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(type, bytes)), (list) => {
        const writer = new NetlinkWriter();
        for (const [number, value] of list) writer.bytes(number, value);
        const read = [...eachAttribute(writer.finish())];
        assert.deepEqual(
          read.map(([number, value]) => [number, [...value]]),
          list.map(([number, value]) => [number, [...value]]),
        );
      }),
    );
  });

  it("nests", () => {
    fc.assert(
      fc.property(type, type, bytes, bytes, (outer, inner, value, sibling) => {
        fc.pre(outer !== 1);
        const writer = new NetlinkWriter();
        writer.struct(5).fill(7);
        writer.nested(outer, (nested) => nested.bytes(inner, value)).bytes(1, sibling);
        const attributes = new Attributes(writer.finish().subarray(8));
        assert.deepEqual([...(attributes.nested(outer)?.get(inner) ?? [])], [...value]);
        assert.deepEqual([...(attributes.get(1) ?? [])], [...sibling]);
      }),
    );
  });

  it("has numbers and strings as they were given", () => {
    const writer = new NetlinkWriter();
    writer.u8(1, 0xfe).u16(2, 0xfedc).u16Be(3, 0x1234).u32(4, 0xfedcba98).u32Be(5, 1).string(6, "höst").flag(7);
    const attributes = new Attributes(writer.finish());
    assert.equal(attributes.u8(1), 0xfe);
    assert.equal(attributes.u16(2), 0xfedc);
    assert.equal(attributes.u16(3), 0x3412);
    assert.equal(attributes.u32(4), 0xfedcba98);
    assert.equal(attributes.i32(4), 0xfedcba98 | 0);
    assert.equal(attributes.u32(5), 0x01000000);
    assert.equal(attributes.string(6), "höst");
    assert.ok(attributes.has(7));
    assert.equal(attributes.u32(8), undefined);
  });

  it("reads back every message of a datagram", () => {
    const message = fc.record(
      {
        type: fc.nat(0xffff),
        flags: fc.nat(0xffff),
        sequence: fc.nat(0xffffffff),
        payload: bytes.map((value) => Buffer.from(value)),
      },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(fc.array(message), (messages) => {
        const datagram = Buffer.concat(messages.map(encodeMessage));
        assert.deepEqual([...decodeMessages(datagram)], messages);
      }),
    );
  });

  it("refuses lengths that lie, and nothing else happens on noise", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        for (const decode of [eachAttribute, decodeMessages]) {
          try {
            for (const _ of decode(Buffer.from(noise)));
          } catch (error) {
            assert.match(String(error), /has length/);
          }
        }
      }),
    );
  });
});
