import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { hostPlatform, parsePlatform } from "@boxship/oci";
import { tempDir } from "@boxship/testkit";
import { canRun } from "./emulation.ts";

test("commands run here when they are this machine's, or an emulator is registered that containers can use", async () => {
  await using registered = tempDir("binfmt");
  const write = (name: string, state: string, flags: string) =>
    writeFileSync(registered.join(`qemu-${name}`), `${state}\ninterpreter /usr/bin/qemu\nflags: ${flags}\noffset 0\n`);
  write("s390x", "enabled", "OCF");
  write("riscv64", "disabled", "F");
  write("ppc64le", "enabled", "OC");
  const can = (platform: string) => canRun(parsePlatform(platform), registered.path);
  assert.ok(canRun(hostPlatform(), registered.path));
  assert.ok(can("linux/s390x"));
  assert.ok(!can("linux/riscv64"));
  assert.ok(!can("linux/ppc64le"));
  assert.ok(!can("linux/mips64le"));
  assert.ok(!can("windows/s390x"));
});
