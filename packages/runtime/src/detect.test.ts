import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { FailedPrecondition, InvalidArgument, silentLogger, systemClock } from "@boxship/base";
import { ContainerRuntime } from "./container-runtime.ts";
import type { RuntimeOptions } from "./contract.ts";
import { smallestProgram } from "./smallest-program.ts";
import { INSTALLED_RUNTIMES, removeCgroupParent } from "./testing.ts";

describe("what works here", () => {
  let directory: string;
  let options: RuntimeOptions;
  const cgroupParent = `/boxship-test-detect-${process.pid}`;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "boxship-detect-"));
    options = { runDir: join(directory, "run"), cgroupParent, logger: silentLogger, clock: systemClock };
  });
  after(() => {
    removeCgroupParent(cgroupParent);
    rmSync(directory, { recursive: true });
  });

  test("the fastest that runs a container is the default", async () => {
    await using runtime = await ContainerRuntime.open(options);
    const names = runtime.info.runtimes.map(({ name }) => name).sort();
    assert.deepEqual(names, [...INSTALLED_RUNTIMES].sort());
    assert.ok(runtime.info.runtimes.every(({ usable, version }) => usable && version !== ""));
    assert.equal(runtime.info.default, INSTALLED_RUNTIMES.includes("crun") ? "crun" : "runc");
    assert.match(runtime.info.conmonVersion, /^\d+\.\d+/);
    assert.deepEqual(
      readdirSync(options.runDir).filter((name) => name.startsWith("probe-")),
      [],
    );
  });

  test("what was found is remembered, so that starting is fast", async () => {
    await using found = await ContainerRuntime.open(options);
    const file = join(options.runDir, "runtimes.json");
    const version = found.info.runtimes[0]?.version ?? "";
    writeFileSync(file, readFileSync(file, "utf8").replaceAll(JSON.stringify(version), '"0.0.1-remembered"'));
    await using remembered = await ContainerRuntime.open(options);
    assert.equal(remembered.info.runtimes[0]?.version, "0.0.1-remembered");
    writeFileSync(file, "{ torn");
    await using again = await ContainerRuntime.open(options);
    assert.deepEqual(again.info, found.info);
  });

  test("a runtime that does not work is named with its reason", async () => {
    const broken = join(directory, "broken");
    writeFileSync(broken, "#!/bin/sh\necho 'it is broken' >&2; exit 1\n", { mode: 0o755 });
    const runtimes = { broken: { path: broken }, runc: { path: "/usr/sbin/runc" } };
    await using runtime = await ContainerRuntime.open({ ...options, runtimes });
    assert.equal(runtime.info.default, "runc");
    const [description] = runtime.info.runtimes;
    assert.deepEqual(description, { name: "broken", path: broken, version: "", usable: false, reason: "it is broken" });
    await assert.rejects(
      ContainerRuntime.open({ ...options, runtimes, defaultRuntime: "broken" }),
      (error) => error instanceof FailedPrecondition && error.message === "runtime broken cannot be used: it is broken",
    );
    await assert.rejects(ContainerRuntime.open({ ...options, runtimes: { broken: { path: broken } } }), {
      message: "no OCI runtime runs a container here (broken: it is broken)",
    });
  });

  test("what is missing is named with its package", async () => {
    await assert.rejects(
      ContainerRuntime.open({ ...options, runtimes: {} }),
      (error) => error instanceof FailedPrecondition && /install the package crun/.test(error.remedy ?? ""),
    );
    await assert.rejects(ContainerRuntime.open({ ...options, conmon: join(directory, "none") }), FailedPrecondition);
    await assert.rejects(ContainerRuntime.open({ ...options, runDir: "relative" }), InvalidArgument);
  });

  test("the smallest program is one", async (context) => {
    const program = smallestProgram();
    if (program === undefined) {
      context.skip("no machine code for this architecture");
      return;
    }
    const path = join(directory, "exit");
    writeFileSync(path, program, { mode: 0o755 });
    const { spawnProcess } = await import("@boxship/kernel");
    assert.equal((await spawnProcess({ file: path }).exited).code, 0);
    assert.ok(existsSync(path));
  });
});
