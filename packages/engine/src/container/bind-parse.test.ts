import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidArgument } from "@boxship/base";
import { parseBind } from "./bind-parse.ts";

test("volumes and paths in all their forms", () => {
  const cases: readonly [string, Partial<ReturnType<typeof parseBind>>][] = [
    ["/data", { destination: "/data", readWrite: true }],
    ["vol:/data", { source: "vol", destination: "/data", propagation: "" }],
    ["/a/../b:/data/:ro", { source: "/b", destination: "/data", readWrite: false, propagation: "rprivate" }],
    ["/a:/b:z,ro,rslave", { mode: "z,ro,rslave", propagation: "rslave", readWrite: false }],
    ["vol:/b:nocopy", { noCopy: true }],
    ["/a:/b:rw,cached", { readWrite: true }],
  ];
  for (const [spec, want] of cases) {
    const got = parseBind(spec);
    for (const [key, value] of Object.entries(want))
      assert.equal(got[key as keyof typeof got], value, `${spec}: ${key}`);
  }
});

test("what is wrong is named", () => {
  const cases: readonly [string, RegExp][] = [
    ["", /expected/],
    ["a::b", /expected/],
    ["/a:/b:ro:x", /expected/],
    ["data", /must be absolute: 'data'/],
    ["/a:b", /must be absolute: 'b'/],
    ["/a:/", /destination can't be '\/'/],
    ["./a:/b", /includes invalid characters/],
    ["/a:/b:ro,rw", /more than one access/],
    ["/a:/b:sideways", /invalid mode: sideways/],
    ["vol:/b:shared", /needs a path on the host/],
  ];
  for (const [spec, message] of cases) {
    assert.throws(
      () => parseBind(spec),
      (error) => error instanceof InvalidArgument && message.test(error.message),
      spec,
    );
  }
});
