import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { check, cString, libc, readErrno, syscall, withErrno } from "./ffi.ts";
import { syscallNumber } from "./syscall-numbers.ts";

const accessCall = libc.bind<number>("access", ["i32", "pointer", "i32"]);

test("a failed call is an error with its name", () => {
  assert.throws(() => check(accessCall(cString("/no/such"), 0), "access", "/no/such"), {
    name: "SyscallError",
    code: "ENOENT",
    errno: 2,
    syscall: "access",
  });
});

test("a call by number, and its errno", () => {
  assert.ok(syscall("gettid", []) > 0);
  assert.throws(() => syscall("pidfd_open", [-1, 0]), { code: "EINVAL" });
});

test("numbers below 424 differ per architecture, later ones do not", () => {
  assert.equal(syscallNumber("mknodat", "x64"), 259);
  assert.equal(syscallNumber("mknodat", "arm64"), 33);
  assert.equal(syscallNumber("openat2", "x64"), syscallNumber("openat2", "arm64"));
  assert.equal(syscallNumber("openat2", "riscv64"), undefined);
});

test("cString refuses an embedded NUL and keeps bytes", () => {
  assert.deepEqual(cString(Buffer.of(0xff)), Buffer.of(0xff, 0));
  assert.throws(() => cString("a\0"), { code: "EINVAL" });
});

test("a failure that seems to be EAGAIN is asked for again", () => {
  const failing = (...errnos: number[]) => {
    const left = [...errnos];
    const result = withErrno(
      () => -1,
      [],
      () => left.shift() ?? 0,
    );
    return [result, readErrno(), left.length];
  };
  assert.deepEqual(failing(11, 2), [-1, 2, 0]);
  assert.deepEqual(failing(11, 11), [-1, 11, 0]);
  assert.deepEqual(failing(2, 11), [-1, 2, 1]);
  let calls = 0;
  const second = () => (++calls === 1 ? -1n : 5n);
  assert.equal(
    withErrno(second, [], () => 11),
    5n,
  );
});

/** Runs in this thread and in workers: calls that fail in two ways, with garbage in between. */
function countWrongErrnos(rounds: number): number {
  const paths = [cString("/no/such/file"), cString("/etc/passwd/file")];
  const expected = [2, 20];
  let wrong = 0;
  let garbage: unknown[] = [];
  for (let round = 0; round < rounds; round++) {
    const which = round % 2;
    const result = accessCall(paths[which] ?? null, 0);
    const errno = result === -1 ? readErrno() : 0;
    if (errno !== expected[which]) wrong++;
    garbage.push(Buffer.alloc(200), { round });
    if (garbage.length > 5000) garbage = [];
  }
  return wrong;
}

test("errno is right under allocation pressure, on several threads", async () => {
  const source = `
    import { parentPort } from "node:worker_threads";
    import { cString, libc, readErrno } from ${JSON.stringify(new URL("./ffi.ts", import.meta.url).href)};
    const accessCall = libc.bind("access", ["i32", "pointer", "i32"]);
    ${countWrongErrnos.toString()}
    parentPort.postMessage(countWrongErrnos(50_000));`;
  const workers = [1, 2].map(() => new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`)));
  const results = workers.map(
    (worker) => new Promise<unknown>((resolve, reject) => worker.once("message", resolve).once("error", reject)),
  );
  assert.equal(countWrongErrnos(100_000), 0);
  assert.deepEqual(await Promise.all(results), [0, 0]);
});
