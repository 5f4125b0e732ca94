import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { releaseMount } from "@boxship/kernel";
import { tempDir } from "@boxship/testkit";
import { bindSubPath } from "./sub-path.ts";

/** Exchanges directories of a volume for links that lead out of it, and back, as fast as it can. */
const SWAP = `
const { workerData: { kernel, volume, outside }, parentPort } = require("node:worker_threads");
const { renameSync, rmdirSync, symlinkSync } = require("node:fs");
import(kernel).then(({ CurrentDirectory, RenameFlag, renameat2 }) => {
  Error.stackTraceLimit = 0;
  const [made, there, link, other] = ["made", "there", "link", "other"].map((name) => volume + "/" + name);
  symlinkSync(outside, link);
  symlinkSync(outside, other);
  const exchange = (a, b) => renameat2(CurrentDirectory, a, CurrentDirectory, b, RenameFlag.Exchange);
  parentPort.postMessage("swapping");
  for (;;) {
    exchange(there, other);
    try {
      exchange(made, link);
    } catch {
      continue;
    }
    rmdirSync(link);
    renameSync(made, link);
  }
});`;

const ROUNDS = 100;

test("a sub-path never leaves its volume, nor are rights changed outside, whoever exchanges links meanwhile", async () => {
  await using directory = tempDir();
  const [volume, outside, places] = ["volume", "outside", "places"].map((name) => directory.join(name)) as [
    string,
    string,
    string,
  ];
  for (const path of [volume, outside, places, `${volume}/there`]) mkdirSync(path);
  chmodSync(volume, 0o777);
  chmodSync(outside, 0o700);
  writeFileSync(`${outside}/secret`, "");
  const kernel = import.meta.resolve("@boxship/kernel");
  const swapping = new Worker(SWAP, { eval: true, workerData: { kernel, volume, outside } });
  try {
    await once(swapping, "message");
    for (let round = 0; round < ROUNDS; round++) {
      const place = `${places}/${round}`;
      try {
        bindSubPath(volume, round % 2 === 0 ? "made" : "there", place);
      } catch {
        // What is asked for may be gone: refused is contained.
      }
      assert.ok(!existsSync(`${place}/secret`), `round ${round} leads out`);
      assert.equal(statSync(outside).mode & 0o777, 0o700, `round ${round} gives away what is outside`);
      if (existsSync(place)) await releaseMount(place).catch(() => {});
      rmSync(place, { force: true, recursive: true });
    }
  } finally {
    await swapping.terminate();
  }
});

test("links in a volume lead to places of the volume", async () => {
  await using directory = tempDir();
  const volume = directory.join("volume");
  mkdirSync(`${volume}/etc`, { recursive: true });
  writeFileSync(`${volume}/etc/passwd`, "of the volume\n");
  for (const [name, target] of [
    ["absolute", "/etc"],
    ["above", "../../../../../../../etc"],
  ] as const) {
    symlinkSync(target, `${volume}/${name}`);
    const place = directory.join(name);
    bindSubPath(volume, name, place);
    try {
      assert.equal(statSync(`${place}/passwd`).size, 14);
    } finally {
      await releaseMount(place);
    }
  }
  for (const path of ["/etc", "../etc", "a/../../etc"]) {
    assert.throws(() => bindSubPath(volume, path, directory.join("place")), /must be inside of its volume/);
  }
});
