import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { sendDescriptors } from "./descriptor-passing.ts";
import { duplexOver, isTerminal } from "./descriptor-stream.ts";
import { memfdCreate } from "./open.ts";
import { spawnProcess } from "./process.ts";
import { runProcess } from "./run-process.ts";
import { listenConsoleSocket, makeRaw, openPseudoTerminal, setWindowSize, windowSize } from "./terminal.ts";
import { failOnLeaks, temporaryDirectory } from "./testing.ts";
import { connectUnixSocket } from "./unix-socket.ts";

failOnLeaks();

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  let text = "";
  for await (const chunk of stream) text += String(chunk);
  return text;
}

test("a program on a terminal sees its size, and its end ends the stream", async () => {
  const { master, slave } = openPseudoTerminal({ rows: 33, columns: 121 });
  assert.ok(isTerminal(master) && isTerminal(slave));
  const child = spawnProcess({
    file: "/bin/sh",
    args: ["-c", "stty size; test -t 0 && echo terminal; cat"],
    stdio: { 0: slave, 1: slave, 2: slave },
    setsid: true,
  });
  slave.close();
  const stream = duplexOver(master);
  stream.write("typed\n\x04");
  const printed = await textOf(stream);
  assert.deepEqual(await child.exited, { code: 0, signal: undefined });
  // The echo of what was typed comes whenever it comes; the program prints it once more.
  const lines = printed.split("\r\n").toSorted();
  assert.deepEqual(lines, ["", "33 121", "terminal", "typed", "typed"]);
});

test("the size changes while a terminal is in use", () => {
  using terminal = openPseudoTerminal();
  assert.deepEqual(windowSize(terminal.slave), { rows: 0, columns: 0 });
  setWindowSize(terminal.master, { rows: 50, columns: 200 });
  assert.deepEqual(windowSize(terminal.slave), { rows: 50, columns: 200 });
});

test("raw mode passes bytes unchanged, and is left again", async () => {
  const { master, slave } = openPseudoTerminal();
  const flags = async () => String((await stty(slave.number)).stdout);
  const stty = (number: number) =>
    runProcess({ file: "/bin/stty", args: ["-a", "-F", `/proc/${process.pid}/fd/${number}`] });
  const original = await flags();
  {
    using _raw = makeRaw(slave);
    assert.match(await flags(), /-icanon/);
    assert.match(await flags(), /-opost/);
  }
  assert.equal(await flags(), original);
  const file = memfdCreate("plain");
  assert.throws(() => makeRaw(file), { code: "ENOTTY" });
  file.close();
  master.close();
  slave.close();
});

test("a console socket takes one terminal and refuses anything else", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "console");
  {
    using terminal = openPseudoTerminal({ rows: 5, columns: 6 });
    using listener = listenConsoleSocket(path);
    using client = await connectUnixSocket(path);
    sendDescriptors(client, Buffer.from("/dev/pts/x"), [terminal.master]);
    using master = await listener.master;
    assert.deepEqual(windowSize(master), { rows: 5, columns: 6 });
  }
  assert.equal(existsSync(path), false);
  {
    using listener = listenConsoleSocket(path);
    using client = await connectUnixSocket(path);
    using file = memfdCreate("not a terminal");
    sendDescriptors(client, Buffer.from("x"), [file]);
    await assert.rejects(listener.master, { code: "FailedPrecondition" });
  }
  {
    using listener = listenConsoleSocket(path);
    (await connectUnixSocket(path)).close();
    await assert.rejects(listener.master, { code: "FailedPrecondition" });
  }
  const listener = listenConsoleSocket(path);
  listener[Symbol.dispose]();
  await assert.rejects(listener.master, { code: "FailedPrecondition" });
});

test("runc sends a container's terminal", async () => {
  using directory = temporaryDirectory();
  const bundle = directory.path;
  mkdirSync(join(bundle, "rootfs/bin"), { recursive: true });
  copyFileSync("/bin/busybox", join(bundle, "rootfs/bin/busybox"));
  const runc = (...args: string[]) => runProcess({ file: "runc", args: ["--root", join(bundle, "state"), ...args] });
  assert.equal((await runProcess({ file: "runc", args: ["spec"], cwd: bundle })).code, 0);
  const config = JSON.parse(readFileSync(join(bundle, "config.json"), "utf8"));
  config.process.args = ["/bin/busybox", "sh", "-c", "busybox stty size; busybox echo from $0", "inside"];
  config.process.env = ["PATH=/bin"];
  config.process.consoleSize = { height: 17, width: 71 };
  delete config.process.rlimits;
  const id = `boxship-kernel-${process.pid}`;
  config.linux.cgroupsPath = `/${id}`;
  writeFileSync(join(bundle, "config.json"), JSON.stringify(config));
  using listener = listenConsoleSocket(join(bundle, "console"));
  const created = await runc("run", "--detach", "--bundle", bundle, "--console-socket", listener.path, id);
  try {
    assert.equal(created.code, 0, String(created.stderr));
    const printed = await textOf(duplexOver(await listener.master));
    assert.match(printed, /17 71\r\nfrom inside\r\n/);
  } finally {
    await runc("delete", "--force", id);
  }
});
