import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { openMemoryStore } from "@boxship/store";
import { tempDir } from "@boxship/testkit";
import { EncryptedValues } from "./encrypted-values.ts";
import { rotateKeys } from "./rotate-keys.ts";
import { SECRETS } from "./sealed-collections.ts";

test("rotations that are asked for at once lose no key that something is sealed by", async () => {
  await using directory = tempDir("rotate-keys");
  const path = directory.join("secrets.keys");
  const values = await EncryptedValues.open(path);
  await using store = openMemoryStore();
  const keys = Array.from({ length: 250 }, (_, index) => `${SECRETS}default/s${index}`);
  for (const key of keys) {
    await store.transact({ success: [{ kind: "put", key, value: values.seal(key, Buffer.from(key)) }] });
  }
  // Of one that was killed: what is forgotten must not stay beside the file.
  writeFileSync(`${path}.0123456789ab.tmp`, readFileSync(path));
  writeFileSync(directory.join("secrets.keys.other"), "");
  await Promise.all(Array.from({ length: 4 }, () => rotateKeys(store, values)));
  assert.deepEqual(readdirSync(directory.path).sort(), ["secrets.keys", "secrets.keys.other"]);
  // As the next start finds them.
  const later = await EncryptedValues.open(path);
  for (const key of keys) {
    const [item] = (await store.range({ start: key })).items;
    assert.equal(Buffer.from(later.open(key, item?.value ?? Buffer.alloc(0))).toString(), key);
  }
  assert.equal(readFileSync(path, "utf8").trim().split("\n").length, 2);
});
