import assert from "node:assert/strict";
import { test } from "node:test";
import { parseListenAddress } from "./parse-listen-address.ts";

test("addresses to listen at", () => {
  assert.deepEqual(parseListenAddress("127.0.0.1:5000"), { host: "127.0.0.1", port: 5000 });
  assert.deepEqual(parseListenAddress("[::1]:0"), { host: "::1", port: 0 });
  assert.deepEqual(parseListenAddress(":80"), { host: "::", port: 80 });
  assert.deepEqual(parseListenAddress("localhost:80"), { host: "localhost", port: 80 });
  for (const wrong of ["", "80", "127.0.0.1", "1.2.3:80", "host:80", "::1:80", "127.0.0.1:65536", "127.0.0.1:x"]) {
    assert.throws(() => parseListenAddress(wrong), /is no address to listen at/, wrong);
  }
});
