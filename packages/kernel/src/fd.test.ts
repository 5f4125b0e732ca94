import assert from "node:assert/strict";
import { fstatSync } from "node:fs";
import { test } from "node:test";
import { duplicateOver, Fd, openLeakReport, setCloseOnExec, setNonBlocking, statusFlags } from "./fd.ts";
import { CurrentDirectory, memfdCreate, OpenFlag, openat } from "./open.ts";

const openNull = () => openat(CurrentDirectory, "/dev/null", OpenFlag.ReadWrite);

test("an owner counts as live until it is closed, and closing twice is harmless", () => {
  const before = Fd.liveCount();
  const fd = openNull();
  assert.equal(Fd.liveCount(), before + 1);
  fd.close();
  fd.close();
  assert.equal(fd.closed, true);
  assert.equal(Fd.liveCount(), before);
  assert.throws(() => fd.number, TypeError);
});

test("a released descriptor stays open and belongs to the caller", () => {
  const before = Fd.liveCount();
  const number = openNull().release();
  assert.equal(Fd.liveCount(), before);
  assert.ok(fstatSync(number).isCharacterDevice());
  new Fd(number).close();
});

test("a close error is reported, and the owner is rid of the descriptor", () => {
  const fd = openNull();
  new Fd(fd.number).close();
  assert.throws(() => fd.close(), { code: "EBADF", syscall: "close" });
  assert.equal(fd.closed, true);
});

test("only integers from 0 on are descriptors", () => {
  assert.throws(() => new Fd(-1), RangeError);
  assert.throws(() => new Fd(1.5), RangeError);
});

test("a duplicate has its own number and the wanted minimum", () => {
  using fd = openNull();
  using copy = fd.duplicate(100);
  assert.ok(copy.number >= 100);
});

test("duplicateOver replaces what a number refers to", () => {
  using first = memfdCreate("first");
  using second = memfdCreate("second");
  duplicateOver(first, second.number);
  const targets = openLeakReport().filter(({ target }) => target.startsWith("/memfd:"));
  assert.deepEqual(
    targets.map(({ target }) => target),
    ["/memfd:first (deleted)", "/memfd:first (deleted)"],
  );
});

test("non-blocking and close-on-exec can be set and cleared", () => {
  using fd = openNull();
  setNonBlocking(fd, true);
  assert.equal(statusFlags(fd) & OpenFlag.NonBlock, OpenFlag.NonBlock);
  setNonBlocking(fd, false);
  assert.equal(statusFlags(fd) & OpenFlag.NonBlock, 0);
  setCloseOnExec(fd, false);
  setCloseOnExec(fd, true);
});

test("the leak report names what was opened since", () => {
  const before = openLeakReport();
  {
    using fd = openNull();
    assert.deepEqual(openLeakReport(before), [{ number: fd.number, target: "/dev/null" }]);
  }
  assert.deepEqual(openLeakReport(before), []);
});
