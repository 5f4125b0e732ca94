import assert from "node:assert/strict";
import { test } from "node:test";
import { runProcess } from "./run-process.ts";
import { failOnLeaks } from "./testing.ts";

failOnLeaks();

test("input goes in, both outputs and the status come out", async () => {
  const result = await runProcess({
    file: "/bin/sh",
    args: ["-c", "cat; echo problem >&2; exit 3"],
    input: "binary\0safe",
  });
  assert.deepEqual(
    { code: result.code, stdout: String(result.stdout), stderr: String(result.stderr) },
    { code: 3, stdout: "binary\0safe", stderr: "problem\n" },
  );
});

test("large input and output pass without a deadlock", async () => {
  const input = Buffer.alloc(900_000, 7);
  const { stdout } = await runProcess({ file: "/bin/cat", input });
  assert.ok(stdout.equals(input));
});

test("a program that does not read its input is no error", async () => {
  const { code } = await runProcess({ file: "/bin/true", input: Buffer.alloc(500_000) });
  assert.equal(code, 0);
});

test("too much output and too much time end the process", async () => {
  await assert.rejects(runProcess({ file: "/usr/bin/yes", maxOutput: 10_000 }), { code: "ResourceExhausted" });
  await assert.rejects(runProcess({ file: "/bin/sleep", args: ["60"], timeout: 20 }), {
    code: "DeadlineExceeded",
    message: "/bin/sleep did not end within 20 ms",
  });
  const signal = AbortSignal.timeout(20);
  await assert.rejects(runProcess({ file: "/bin/sleep", args: ["60"], signal }), { name: "TimeoutError" });
});

test("a missing file is an error, and nothing stays open", async () => {
  await assert.rejects(runProcess({ file: "/no/such" }), { code: "ENOENT" });
});
