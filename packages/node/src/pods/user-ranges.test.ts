import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { tempDir } from "@boxship/testkit";
import { UserRanges } from "./user-ranges.ts";

const LENGTH = 65_536;

test("every pod has a range of its own, also after a new start, until it is given back", async () => {
  await using directory = tempDir();
  const options = { root: directory.path, pods: 3, subuid: directory.join("subuid"), subgid: directory.join("subgid") };
  const ranges = await UserRanges.open(options);
  const taken = await Promise.all(["a", "b", "a"].map((uid) => ranges.take(uid)));
  const firsts = taken.map(({ uids: [{ hostId }] }) => hostId);
  assert.deepEqual(taken[0], taken[2]);
  assert.equal(new Set(firsts).size, 2);
  assert.ok(firsts.every((first) => first >= LENGTH && first % LENGTH === 0 && first < 4_000_000_000 - LENGTH));
  const again = await UserRanges.open(options);
  assert.deepEqual(again.of("b"), taken[1]);
  const third = (await again.take("c")).uids[0].hostId;
  assert.ok(!firsts.includes(third));
  await assert.rejects(again.take("d"), /could not find an empty slot to allocate a user namespace/);
  await again.release("a");
  await again.release("a");
  assert.deepEqual([again.of("a"), existsSync(directory.join("pods/a/userns"))], [undefined, false]);
  assert.equal((await again.take("d")).uids[0].hostId, firsts[0]);
  // Somebody has been given that range meanwhile.
  writeFileSync(options.subuid, `somebody:${third - 10}:20\n`);
  await again.release("c");
  const careful = await UserRanges.open(options);
  assert.notEqual((await careful.take("e")).uids[0].hostId, third);
  mkdirSync(directory.join("pods/broken"));
  writeFileSync(directory.join("pods/broken/userns"), "{}");
  await assert.rejects(UserRanges.open(options), /pods\/broken\/userns cannot be understood/);
});

test("the ranges of the user kubelet are for pods", async () => {
  await using directory = tempDir();
  const open = (uids: string, gids = uids) => {
    const [subuid, subgid] = [directory.join("subuid"), directory.join("subgid")];
    writeFileSync(subuid, `root:1:5\nkubelet:${uids}\n`);
    writeFileSync(subgid, `kubelet:${gids}\n`);
    return UserRanges.open({ root: directory.path, pods: 3, subuid, subgid });
  };
  const ranges = await open(`${LENGTH * 7}:${LENGTH * 3}`);
  const mapping = { hostId: LENGTH * 7, containerId: 0, length: LENGTH };
  assert.deepEqual(await ranges.take("a"), { uids: [mapping], gids: [mapping] });
  await assert.rejects(open(`0:${LENGTH * 3}`), /must be a multiple of 65536, and not 0/);
  await assert.rejects(open(`${LENGTH + 1}:${LENGTH * 3}`), /must be a multiple/);
  await assert.rejects(open(`${LENGTH}:${LENGTH * 3 + 1}`), /their number, 196609, must be/);
  await assert.rejects(open(`${LENGTH}:${LENGTH * 2}`), /not enough for 3 pods/);
  await assert.rejects(open(`${LENGTH}:${LENGTH * 3}`, `${LENGTH * 2}:${LENGTH * 3}`), /must be the same/);
});
