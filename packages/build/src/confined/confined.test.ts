import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { findProgram } from "@boxship/base";
import { startFromBundle, tempDir } from "@boxship/testkit";
import { builderSuite } from "../testing/builder.suite.ts";
import { killRootedBelow } from "./strays.ts";

// Each command of a build is a start of the program.
startFromBundle();

builderSuite("the builder in an unprivileged container, with user namespaces", { confined: { namespaces: true } });
builderSuite("the builder in an unprivileged container", { confined: { namespaces: false } });

test("commands of an engine that was killed are ended by the next one, and nobody else is", async () => {
  await using directory = tempDir("rooted");
  const start = async (name: string) => {
    const root = directory.join(name);
    mkdirSync(`${root}/dev`, { recursive: true });
    // A shell opens it for what it puts in the background.
    writeFileSync(`${root}/dev/null`, "");
    cpSync(findProgram("busybox") ?? "", `${root}/busybox`);
    const command = ["/busybox", "sh", "-c", "/busybox sleep 1000 & echo started; wait"];
    const child = spawn("chroot", [root, ...command], { stdio: ["ignore", "pipe", "ignore"], detached: true });
    await once(child.stdout, "data");
    // The suites above adopt and reap children of this process before Node does.
    child.unref();
    // Both processes hold the output.
    return { child, ended: once(child.stdout.resume(), "close") };
  };
  const [below, beside] = await Promise.all([start("engine/snapshots/x"), start("engine2/x")]);
  try {
    await killRootedBelow(directory.join("engine"));
    await below.ended;
    process.kill(beside.child.pid ?? 0, 0);
  } finally {
    for (const { child } of [below, beside]) {
      try {
        process.kill(-(child.pid ?? 0), "SIGKILL");
      } catch {}
    }
    await Promise.all([below.ended, beside.ended]);
  }
});
