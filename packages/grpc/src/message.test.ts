import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidArgument } from "@boxship/base";
import fc from "fast-check";
import { field, message } from "./message.ts";

const Leaf = message("Leaf", { name: field.string(1), size: field.int64(3) });
const Tree = message("Tree", {
  name: field.string(1),
  data: field.bytes(2),
  flag: field.bool(3),
  count: field.int32(4),
  id: field.uint32(5),
  time: field.big(6),
  leaf: field.message(7, Leaf),
  leaves: field.messages(8, Leaf),
  labels: field.stringMap(9),
  lines: field.strings(10),
  parts: field.manyBytes(16),
  byName: field.messageMap(2000, Leaf),
});

const bytes = fc.uint8Array({ maxLength: 40 });
const leaf = fc.record({ name: fc.string(), size: fc.maxSafeInteger() });
const dictionary = <T>(value: fc.Arbitrary<T>) => fc.dictionary(fc.string(), value, { noNullPrototype: false });
const tree = fc.record({
  name: fc.string({ unit: "grapheme" }),
  data: bytes,
  flag: fc.boolean(),
  count: fc.integer(),
  id: fc.nat(),
  time: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  leaf: fc.option(leaf, { nil: undefined }),
  leaves: fc.array(leaf),
  labels: dictionary(fc.string()),
  lines: fc.array(fc.string()),
  parts: fc.array(bytes),
  byName: dictionary(leaf),
});

/** Without prototypes, so that maps compare equal. */
const plain = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_key, item: unknown) => {
      if (typeof item === "bigint") return `${item}n`;
      return item instanceof Uint8Array ? Buffer.from(item).toString("hex") : item;
    }),
  );

test("what is written is read again", () => {
  fc.assert(
    fc.property(tree, (value) => {
      assert.deepEqual(plain(Tree.decode(Tree.encode(value))), plain(value));
    }),
  );
});

test("arbitrary bytes are a message or refused by name", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (input) => {
      try {
        Tree.decode(input);
      } catch (error) {
        assert.ok(error instanceof InvalidArgument, String(error));
        assert.match(error.message, /^malformed Tree/);
      }
    }),
  );
});

test("a message that is cut off is refused", () => {
  const whole = Tree.encode({ name: "a", leaves: [{ name: "bcdef", size: 7 }], labels: { key: "value" } });
  for (let length = 1; length < whole.length; length++) {
    let decoded: unknown;
    try {
      decoded = Tree.decode(whole.subarray(0, length));
    } catch (error) {
      assert.ok(error instanceof InvalidArgument);
      continue;
    }
    assert.notDeepEqual(plain(decoded), plain(Tree.decode(whole)));
  }
});

test("the bytes are protobuf's", () => {
  const hex = Buffer.from(Tree.encode({ name: "ab", count: -1, labels: { k: "v" } })).toString("hex");
  assert.equal(hex, "0a02616220ffffffffffffffffff014a060a016b120176");
  assert.deepEqual(Tree.encode({}), new Uint8Array(0));
});

test("unknown fields are skipped, the last of a repeated scalar wins", () => {
  const Newer = message("Newer", { name: field.string(1), extra: field.string(99), again: field.messages(7, Leaf) });
  const read = Tree.decode(Newer.encode({ name: "x", extra: "y", again: [{ name: "1" }, { name: "2" }] }));
  assert.equal(read.name, "x");
  assert.equal(read.leaf?.name, "2");
});

test("keys of maps cannot reach a prototype", () => {
  const read = Tree.decode(Tree.encode({ labels: { ["__proto__"]: "x", constructor: "y" } }));
  assert.equal(Object.getPrototypeOf(read.labels), null);
  assert.equal(read.labels["constructor"], "y");
});
