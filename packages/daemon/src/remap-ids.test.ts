import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { tempDir } from "@boxship/testkit";
import { remapIds } from "./remap-ids.ts";

test("users and groups by name and number, with the ranges that they have", async () => {
  await using directory = tempDir("remap-ids");
  const file = (name: string, text: string) => {
    writeFileSync(directory.join(name), text);
    return directory.join(name);
  };
  const files = {
    passwd: file("passwd", "root:x:0:0::/:/bin/sh\nann:x:1000:1001::/:/bin/sh\n"),
    group: file("group", "ann:x:1001:\nstaff:x:50:\n"),
    subuid: file("subuid", "bob:1:1\nann:200000:10\nann:300000:65536\n77:9000:5\n"),
    subgid: file("subgid", "ann:200000:65536\n50:400000:20\n"),
  };
  const uids = [
    { inside: 0, outside: 200_000, count: 10 },
    { inside: 10, outside: 300_000, count: 65_536 },
  ];
  const gids = [{ inside: 0, outside: 200_000, count: 65_536 }];
  assert.deepEqual(remapIds("ann", files), { uids, gids });
  assert.deepEqual(remapIds("1000:ann", files), { uids, gids });
  assert.deepEqual(remapIds("ann:staff", files).gids, [{ inside: 0, outside: 400_000, count: 20 }]);
  assert.deepEqual(remapIds("77:50", files).uids, [{ inside: 0, outside: 9000, count: 5 }]);
  assert.throws(() => remapIds("nobody", files), {
    code: "FailedPrecondition",
    message: 'no subuid ranges found for user "nobody"',
  });
  assert.throws(() => remapIds("ann:nosuch", files), { message: 'no subgid ranges found for group "nosuch"' });
  for (const root of ["root", "0", "root:ann"]) {
    assert.throws(() => remapIds(root, files), {
      code: "InvalidArgument",
      message: /root cannot be remapped with itself/,
    });
  }
  for (const bad of ["", ":", "a:", ":b", "a:b:c"]) {
    assert.throws(() => remapIds(bad, files), { code: "InvalidArgument", message: /invalid userns-remap/ });
  }
});

test("default takes ranges that nobody has, once, and Docker's where they are", async () => {
  await using directory = tempDir("remap-ids");
  const files = { subuid: directory.join("subuid"), subgid: directory.join("subgid") };
  writeFileSync(files.subuid, "ann:100000:65536");
  const first = remapIds("default", files);
  assert.deepEqual(first.uids, [{ inside: 0, outside: 165_536, count: 65_536 }]);
  assert.deepEqual(remapIds("default", files), first);
  assert.equal(readFileSync(files.subuid, "utf8"), "ann:100000:65536\nboxremap:165536:65536\n");
  assert.equal(readFileSync(files.subgid, "utf8"), "boxremap:165536:65536\n");
  for (const file of Object.values(files)) writeFileSync(file, "dockremap:500000:65536\n");
  assert.equal(remapIds("default", files).gids[0]?.outside, 500_000);
});
