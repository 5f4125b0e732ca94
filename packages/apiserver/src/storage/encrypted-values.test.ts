import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { EncryptedValues } from "./encrypted-values.ts";

const [old, fresh] = [randomBytes(32), randomBytes(32)];
const value = Buffer.from('{"kind":"Secret"}');

test("sealed values open with their key, also after a newer one has come", () => {
  const sealed = new EncryptedValues([old]).seal("/a", value);
  assert.ok(!Buffer.from(sealed).includes("Secret"));
  assert.deepEqual(Buffer.from(new EncryptedValues([fresh, old]).open("/a", sealed)), value);
  assert.equal(new EncryptedValues([fresh]).open("/a", value), value, "what was never sealed is read as it is");
});

test("values do not open in another's place, when changed, or without their key", () => {
  const codec = new EncryptedValues([old]);
  const sealed = Buffer.from(codec.seal("/a", value));
  assert.throws(() => codec.open("/b", sealed), /put in another's place/);
  const changed = Buffer.from(sealed);
  changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
  assert.throws(() => codec.open("/a", changed), /was changed/);
  assert.throws(() => new EncryptedValues([fresh]).open("/a", sealed), /a key that is not here/);
});
