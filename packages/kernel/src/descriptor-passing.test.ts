import assert from "node:assert/strict";
import { test } from "node:test";
import { receiveDescriptors, sendDescriptors } from "./descriptor-passing.ts";
import { Fd, setNonBlocking } from "./fd.ts";
import { pread, writeAll } from "./file-data.ts";
import { memfdCreate } from "./open.ts";
import { socketPair } from "./pipe.ts";
import { failOnLeaks } from "./testing.ts";

failOnLeaks();

test("open files arrive with their bytes, and belong to the receiver", () => {
  const [left, right] = socketPair();
  const live = Fd.liveCount();
  for (const count of [1, 2, 253]) {
    const files = Array.from({ length: count }, (_, index) => {
      const file = memfdCreate("passed");
      writeAll(file, Buffer.from(`file ${index}`));
      return file;
    });
    sendDescriptors(left, Buffer.from("payload"), files);
    for (const file of files) file.close();
    const message = receiveDescriptors(right);
    assert.equal(String(message?.bytes), "payload");
    assert.equal(message?.descriptors.length, count);
    message?.descriptors.forEach((file, index) => {
      const buffer = Buffer.alloc(20);
      assert.equal(buffer.toString("utf8", 0, pread(file, buffer, 0)), `file ${index}`);
      file.close();
    });
  }
  assert.equal(Fd.liveCount(), live);
  left.close();
  right.close();
});

test("nothing yet, plain bytes, and the end are told apart", () => {
  const [left, right] = socketPair();
  setNonBlocking(right, true);
  assert.equal(receiveDescriptors(right), undefined);
  writeAll(left, Buffer.from("plain"));
  const plain = receiveDescriptors(right);
  assert.deepEqual([String(plain?.bytes), plain?.descriptors], ["plain", []]);
  left.close();
  const end = receiveDescriptors(right);
  assert.deepEqual([end?.bytes.length, end?.descriptors], [0, []]);
  assert.throws(() => sendDescriptors(right, Buffer.of(1), []), { code: "EPIPE" });
  right.close();
});
