import assert from "node:assert/strict";
import { closeSync, mkdirSync, openSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { readableFrom } from "./descriptor-stream.ts";
import { Fd, setCloseOnExec } from "./fd.ts";
import { pipe } from "./pipe.ts";
import { spawnProcess } from "./process.ts";
import type { SpawnOptions } from "./spawn.ts";
import { failOnLeaks, temporaryDirectory } from "./testing.ts";

failOnLeaks();

/** What a program prints on descriptor 1. */
async function outputOf(options: SpawnOptions): Promise<string> {
  using output = pipe();
  const child = spawnProcess({ ...options, stdio: { ...options.stdio, 1: output.writeEnd } });
  output.writeEnd.close();
  const printed = await text(readableFrom(output.readEnd));
  assert.deepEqual(await child.exited, { code: 0, signal: undefined });
  return printed;
}

const shell = (script: string, options: Partial<SpawnOptions> = {}) =>
  outputOf({ file: "/bin/sh", args: ["-c", script], ...options });

test("arguments, environment and working directory arrive", async () => {
  using directory = temporaryDirectory();
  const script = 'printf "%s|" "$0" "$@" "$GREETING" "$(pwd)" "$HOME"';
  const printed = await shell("", {
    args: ["-c", script, "a b", "ünï", ""],
    env: { GREETING: "hello\nworld", PATH: process.env["PATH"], UNSET: undefined },
    cwd: directory.path,
  });
  assert.equal(printed, `a b|ünï||hello\nworld|${realpathSync(directory.path)}||`);
});

test("a file without a slash is searched in PATH", async () => {
  assert.equal(await outputOf({ file: "echo", args: ["found"], env: {} }), "found\n");
});

test("what cannot be executed is named", () => {
  using directory = temporaryDirectory();
  const plain = join(directory.path, "plain");
  writeFileSync(plain, "", { mode: 0o644 });
  assert.throws(() => spawnProcess({ file: "/no/such/program" }), {
    code: "ENOENT",
    message: "posix_spawn /no/such/program: ENOENT",
  });
  assert.throws(() => spawnProcess({ file: plain }), { code: "EACCES" });
  assert.throws(() => spawnProcess({ file: "/bin/true", cwd: "/no/such" }), {
    message: "posix_spawn /bin/true in /no/such: ENOENT",
  });
  mkdirSync(join(directory.path, "d"));
  assert.throws(() => spawnProcess({ file: join(directory.path, "d") }), { code: "EACCES" });
});

test("the child has exactly the descriptors it was given", async () => {
  // Inherited by accident: not close-on-exec, in a gap and above.
  const inherited = [openSync("/etc/hosts", "r"), openSync("/etc/hosts", "r")];
  for (const number of inherited) setCloseOnExec(number, false);
  using low = new Fd(openSync("/etc/hosts", "r"));
  using high = low.duplicate(200);
  setCloseOnExec(high, false);
  using passwd = new Fd(openSync("/etc/passwd", "r"));
  const printed = await shell("for n in /proc/self/fd/*; do printf '%s %s\\n' $n $(readlink $n); done", {
    stdio: { 12: passwd },
  });
  for (const number of inherited) closeSync(number);
  // The shell's own listing of the directory is gone when its link is read.
  const lines = printed.split("\n").filter((line) => line.includes(" /"));
  assert.deepEqual(lines, ["/proc/self/fd/0 /dev/null", "/proc/self/fd/12 /etc/passwd", "/proc/self/fd/2 /dev/null"]);
});

test("descriptors can be exchanged, repeated and left in place", async () => {
  const files = ["/etc/passwd", "/etc/hosts", "/etc/group", "/etc/hostname"];
  const opened = files.map((file) => new Fd(openSync(file, "r")));
  const [a, b, c, d] = opened.map((fd) => fd.number) as [number, number, number, number];
  const expected = { [a]: files[1], [b]: files[0], [c]: files[2], [d]: files[0] };
  const script = Object.keys(expected)
    .map((number) => `readlink /proc/self/fd/${number}`)
    .join(";");
  const printed = await shell(script, { stdio: { [a]: b, [b]: a, [c]: c, [d]: a } });
  assert.deepEqual(printed.trim().split("\n"), Object.values(expected));
  for (const fd of opened) fd.close();
});

test("signals start out unblocked and with their default actions", async () => {
  process.on("SIGUSR2", () => {});
  const status = await shell("grep -E 'SigBlk|SigIgn|SigCgt' /proc/self/status");
  process.removeAllListeners("SIGUSR2");
  assert.match(status, /SigBlk:\t0+\n/);
  assert.match(status, /SigIgn:\t0+\n/);
});

test("a session or a group of its own", async () => {
  const fields = (line: string) => line.trim().split(" ");
  const script = 'read -r pid comm state ppid group session rest < /proc/self/stat; echo "$$ $group $session"';
  const [pid, group, session] = fields(await shell(script, { setsid: true }));
  assert.deepEqual([group, session], [pid, pid]);
  const [own, ownGroup, sharedSession] = fields(await shell(script, { setpgroup: true }));
  assert.equal(ownGroup, own);
  assert.notEqual(sharedSession, own);
});
