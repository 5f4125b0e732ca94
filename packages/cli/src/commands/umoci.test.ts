import { deepEqual, equal, match, ok } from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { after, before, test } from "node:test";
import {
  pushFixture,
  repositoryRoot,
  runProgram,
  startRegistry,
  type TempDir,
  type TestRegistry,
  tempDir,
} from "@boxship/testkit";
import { commandInProcess, skopeoInProcess } from "../testing/in-process.ts";
import { command as repack } from "./umoci-repack.ts";
import { command as unpack } from "./umoci-unpack.ts";

const umoci = resolve(repositoryRoot, ".cache/parts/root/usr/bin/umoci");
let registry: TestRegistry;
let directory: TempDir;

before(async () => {
  directory = tempDir("umoci");
  registry = await startRegistry();
});
after(async () => {
  await registry?.[Symbol.asyncDispose]();
  await directory?.[Symbol.asyncDispose]();
});

/** All of a tree but its times, which programs set as they go. */
async function tree(root: string): Promise<string[]> {
  const listed = await runProgram([
    "tar",
    "--sort=name",
    "--mtime=@0",
    "--numeric-owner",
    "-C",
    root,
    "-cf",
    directory.join("t.tar"),
    ".",
  ]);
  equal(listed.status, 0, listed.stderr);
  const lines = (await runProgram(["tar", "-tvf", directory.join("t.tar")])).stdout.split("\n");
  return [
    ...lines,
    createHash("sha256")
      .update((await runProgram(["tar", "-xOf", directory.join("t.tar")])).stdout)
      .digest("hex"),
  ];
}

test("bundles are the same as umoci's, and each reads what the other has repacked", async () => {
  await pushFixture(registry, "team/app:1", {
    layers: [
      {
        entries: [
          { name: "etc", type: "directory" },
          { name: "etc/passwd", content: "root:x:0:0::/:/bin/sh\nweb:x:33:44::/:/bin/sh\n" },
          { name: "etc/gone", content: "removed above" },
          { name: "hidden", type: "directory" },
          { name: "hidden/old", content: "hidden above" },
          { name: "bin", type: "directory" },
          { name: "bin/tool", content: "#!/bin/sh\n", mode: 0o4755 },
          { name: "bin/link", type: "symlink", link: "tool" },
          { name: "bin/hard", type: "hardlink", link: "bin/tool" },
          { name: "data", type: "directory", uid: 33, gid: 44 },
        ],
      },
      {
        entries: [
          { name: "etc/.wh.gone" },
          { name: "hidden", type: "directory" },
          { name: "hidden/.wh..wh..opq" },
          { name: "hidden/new", content: "new" },
        ],
      },
    ],
    config: { User: "web", Cmd: ["tool"], Volumes: { "/data": {} } },
  });
  const layout = directory.join("layout");
  const copied = await skopeoInProcess([
    "copy",
    "-q",
    "--src-tls-verify=false",
    `docker://${registry.host}/team/app:1`,
    `oci:${layout}:1`,
  ]);
  equal(copied.status, 0, copied.stderr);
  const [ours, theirs] = [directory.join("ours"), directory.join("theirs")];
  const unpacked = await commandInProcess(unpack, ["--image", `${layout}:1`, ours]);
  equal(unpacked.status, 0, unpacked.stderr);
  const reference = await runProgram([umoci, "unpack", "--image", `${layout}:1`, theirs]);
  equal(reference.status, 0, reference.stderr);
  deepEqual(await tree(`${ours}/rootfs`), await tree(`${theirs}/rootfs`));
  const config = (bundle: string) =>
    JSON.parse(readFileSync(`${bundle}/config.json`, "utf8")) as {
      process: { args: unknown; user: { uid: number; gid: number }; cwd: string };
    };
  const process = (bundle: string) => {
    const { args, user, cwd } = config(bundle).process;
    return { args, uid: user.uid, gid: user.gid, cwd };
  };
  deepEqual(process(ours), process(theirs));
  match((await commandInProcess(unpack, ["--image", `${layout}:1`, ours])).stderr, /is not empty/);

  rmSync(`${ours}/rootfs/bin`, { recursive: true });
  writeFileSync(`${ours}/rootfs/etc/passwd`, "web:x:33:44::/:/bin/sh\n");
  mkdirSync(`${ours}/rootfs/made/deep`, { recursive: true });
  writeFileSync(`${ours}/rootfs/made/deep/file`, "content");
  symlinkSync("../etc", `${ours}/rootfs/made/link`);
  chmodSync(`${ours}/rootfs/hidden/new`, 0o600);
  writeFileSync(`${ours}/rootfs/data/volume`, "not of the image");
  const env = { ...globalThis.process.env, SOURCE_DATE_EPOCH: "1700000000" };
  const repacked = await commandInProcess(repack, ["--image", `${layout}:2`, ours], { env });
  equal(repacked.status, 0, repacked.stderr);
  equal((await commandInProcess(repack, ["--image", `${layout}:3`, ours], { env })).stdout, repacked.stdout);
  const again = directory.join("again");
  const read = await runProgram([umoci, "unpack", "--image", `${layout}:2`, again]);
  equal(read.status, 0, read.stderr);
  rmSync(`${ours}/rootfs/data/volume`);
  deepEqual(await tree(`${again}/rootfs`), await tree(`${ours}/rootfs`));
  const inspected = await runProgram(["skopeo", "inspect", `oci:${layout}:2`]);
  equal((JSON.parse(inspected.stdout) as { Layers: string[] }).Layers.length, 3, inspected.stderr);

  writeFileSync(`${theirs}/rootfs/theirs`, "changed by umoci");
  const packed = await runProgram([umoci, "repack", "--image", `${layout}:4`, theirs]);
  equal(packed.status, 0, packed.stderr);
  const mine = await commandInProcess(unpack, ["--image", `${layout}:4`, directory.join("mine")]);
  equal(mine.status, 0, mine.stderr);
  deepEqual(await tree(directory.join("mine", "rootfs")), await tree(`${theirs}/rootfs`));
});

test("layers that would leave the tree are refused, and so is what is not supported", async () => {
  const evil: readonly (readonly [string, { name: string; content?: string; type?: "symlink"; link?: string }[]])[] = [
    ["through-link", [{ name: "out", type: "symlink", link: directory.path }, { name: "out/.wh.victim" }]],
    ["upwards", [{ name: "../victim", content: "overwritten" }]],
  ];
  writeFileSync(directory.join("victim"), "untouched");
  for (const [name, entries] of evil) {
    const [first, ...rest] = entries;
    const layers =
      name === "through-link" ? [{ entries: first === undefined ? [] : [first] }, { entries: rest }] : [{ entries }];
    await pushFixture(registry, `team/${name}:1`, { layers });
    const layout = directory.join(name);
    await skopeoInProcess([
      "copy",
      "-q",
      "--src-tls-verify=false",
      `docker://${registry.host}/team/${name}:1`,
      `oci:${layout}:1`,
    ]);
    const told = await commandInProcess(unpack, ["--image", `${layout}:1`, directory.join(`${name}-bundle`)]);
    match(told.stderr, /goes through a link|leaves the root/);
    equal(readFileSync(directory.join("victim"), "utf8"), "untouched");
  }
  for (const flag of ["--rootless", "--uid-map=0:1000:1", "--keep-dirlinks"]) {
    const { status, stderr } = await commandInProcess(unpack, [flag, "--image", "x:1", directory.join("none")]);
    ok(status !== 0);
    match(stderr, /is not supported/);
  }
  match((await commandInProcess(repack, ["--image", "x:1", directory.join("none")])).stderr, /no such file/);
});
