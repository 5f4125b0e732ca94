import assert from "node:assert/strict";
import { test } from "node:test";
import { FailedPrecondition } from "@boxship/base";
import { currentUser, mapArguments, subordinateRanges } from "./subordinate-ids.ts";

const user = { name: "mia", uid: 1001, gid: 1001 };
const text = "leo:100000:65536\n# mia:1:2\nmia:165536:65536\n1001:300000:10\nbroken\nmia:x:1\n";

test("a user's ranges are found by name and by number", () => {
  assert.deepEqual(subordinateRanges("uid", user, text), [
    { first: 165_536, count: 65_536 },
    { first: 300_000, count: 10 },
  ]);
});

test("without a range the error says how root gives one that nobody has", () => {
  assert.throws(
    () => subordinateRanges("gid", { ...user, name: "zoe", uid: 7 }, text),
    (error) =>
      error instanceof FailedPrecondition &&
      error.message === "user zoe has no subordinate gids in /etc/subgid" &&
      error.remedy === "let root run: usermod --add-subuids 300010-365545 --add-subgids 300010-365545 zoe",
  );
  assert.throws(() => subordinateRanges("uid", user, ""), { remedy: /100000-165535 mia$/ });
});

test("root inside is the user, further ranges follow each other", () => {
  const ranges = subordinateRanges("uid", user, text);
  assert.equal(mapArguments(1001, ranges).join(" "), "0 1001 1 1 165536 65536 65537 300000 10");
});

test("the user of this process has a name", () => {
  const uid = process.geteuid?.() ?? 0;
  assert.equal(currentUser(`a:x:4294967000:0::/:\nme:x:${uid}:0::/:\n`).name, "me");
  assert.equal(currentUser().uid, uid);
});
