import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { detectCgroups } from "./detect.ts";
import { openCgroupTree } from "./tree.ts";

/** JSON has no infinity and no undefined. */
const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, part: unknown) => (part === Infinity ? "Infinity" : part)));

for (const layout of ["hybrid", "v1", "v2"]) {
  const directory = new URL(`./testdata/${layout}/`, import.meta.url);
  const text = (name: string) => readFileSync(new URL(name, directory), "utf8");
  const host = () =>
    detectCgroups({
      mountinfo: text("mountinfo"),
      cgroups: text("cgroups"),
      root: new URL("root", directory).pathname,
    });

  test(`the ${layout} recording is read`, async () => {
    const stats = await openCgroupTree(host()).open("/boxship/recorded").stats();
    assert.deepEqual(plain(stats), JSON.parse(text("want.json")));
  });

  test(`a group that does not exist has no usage (${layout})`, async () => {
    const group = openCgroupTree(host()).open("/boxship/absent");
    assert.equal(group.exists(), false);
    assert.deepEqual(await group.stats(), { cpu: undefined, memory: undefined, pids: undefined, io: undefined });
    assert.deepEqual(await group.processes(), []);
  });
}
