import { equal, rejects, throws } from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Failure } from "../failure.ts";
import { describeEndpoint, parseHost, resolveInstance } from "../instance.ts";
import { daemonFlags, startDaemon } from "./start-daemon.ts";

test("an instance is a name, and its directories follow", () => {
  equal(resolveInstance({ env: {}, uid: 0 }).runDir, "/run/boxship");
  equal(resolveInstance({ name: "two", env: {}, uid: 0 }).runDir, "/run/boxship-two");
  equal(resolveInstance({ env: { BOXSHIP_NAME: "three", BOXSHIP_RUN: "/x" } }).runDir, "/x");
  const { name, root } = resolveInstance({ name: "a", root: "/r", env: { BOXSHIP_NAME: "b", BOXSHIP_ROOT: "/s" } });
  equal(`${name} ${root}`, "a /r");
  equal(
    daemonFlags(resolveInstance({ name: "a", root: "/r", env: {} })).join(" "),
    "--name a --run-dir /run/boxship-a --root /r",
  );
});

test("hosts", () => {
  for (const host of ["unix:///a/b.sock", "tcp://h:1", "tcp://127.0.0.1:80"])
    equal(describeEndpoint(parseHost(host)), host);
  equal(describeEndpoint(parseHost("tcp://h")), "tcp://h:2375");
  equal(describeEndpoint(parseHost("tcp://[::1]:5")), "tcp://::1:5");
  for (const host of ["", "h:1", "ssh://h", "unix://relative"]) {
    try {
      parseHost(host);
      throw new Error(`${host} was taken`);
    } catch (error) {
      equal(error instanceof Failure && error.message, `unable to parse host: ${host}`);
    }
  }
});

test("a user has instances of their own", () => {
  const env = { HOME: "/home/u", XDG_RUNTIME_DIR: "/run/user/1000" };
  equal(resolveInstance({ env, uid: 1000 }).runDir, "/run/user/1000/boxship");
  equal(resolveInstance({ name: "two", env, uid: 1000 }).runDir, "/run/user/1000/boxship-two");
});

test("without root the machine's engine is not started, and the reason says so", async (t) => {
  t.mock.method(process as { geteuid: () => number }, "geteuid", () => 1000);
  const instance = resolveInstance({ name: "none", env: { BOXSHIP_RUN: "/run/boxship-none" } });
  await rejects(
    () => startDaemon(instance, "/run/boxship-none/engine.sock"),
    (error) =>
      error instanceof Failure &&
      error.status === 1 &&
      error.message ===
        "the engine is not running (nobody answers at /run/boxship-none/engine.sock), and starting it needs root",
  );
});

test("a name is checked before it is part of a path, and a relative root is the caller's", () => {
  for (const name of ["a/../b", "auA", "toolongname", "-x", "1a"]) {
    throws(() => resolveInstance({ name, env: {}, uid: 0 }), { message: `invalid instance name "${name}"` });
  }
  equal(resolveInstance({ root: "some/dir", env: {}, uid: 0 }).root, join(process.cwd(), "some/dir"));
});
