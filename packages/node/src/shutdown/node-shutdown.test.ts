import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { type Logger, silentLogger, systemClock } from "@boxship/base";
import { logindPrograms, startLogind, tempDir } from "@boxship/testkit";
import type { Pod } from "../types.ts";
import { NodeShutdown, type NodeShutdownOptions } from "./node-shutdown.ts";

const skip = logindPrograms() === undefined ? "dbus-daemon or systemd-logind cannot be had here" : false;

const podOf = (name: string, priority: number, seconds: number): Pod =>
  ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: { containers: [], priority, terminationGracePeriodSeconds: seconds },
  }) satisfies Pod;

/** Who is told what, and a way to wait until it is. */
function witness() {
  const told: string[] = [];
  let next = Promise.withResolvers<void>();
  return {
    told,
    tell: (words: string): void => {
      told.push(words);
      next.resolve();
      next = Promise.withResolvers();
    },
    until: async (words: string): Promise<void> => {
      while (!told.includes(words)) await next.promise;
    },
  };
}

function watch(options: Pick<NodeShutdownOptions, "logind" | "terminate" | "pods">) {
  const { told, tell, until } = witness();
  const ending = new AbortController();
  const logger: Logger = {
    ...silentLogger,
    warn: (message, fields) => tell(`${message}: ${JSON.stringify(fields)}`),
    info: (message) => tell(message),
  };
  const shutdown = new NodeShutdown({
    periods: [
      { priority: 0, seconds: 60 },
      { priority: 1000, seconds: 10 },
    ],
    clock: systemClock,
    logger,
    record: { began: async () => tell("began"), ended: async () => tell("ended") },
    changed: async (isGoing) => tell(isGoing ? "going" : "staying"),
    ...options,
  });
  const running = shutdown.run(ending.signal);
  return {
    shutdown,
    told,
    until,
    async [Symbol.asyncDispose]() {
      ending.abort();
      await running;
    },
  };
}

const WATCHING = "shutdowns of the machine wait for its pods";

test("a machine goes down when its pods have ended, in order, unless it is told not to", { skip }, async () => {
  await using logind = await startLogind(5);
  const ended: string[] = [];
  let held = Promise.withResolvers<void>();
  const pods = [podOf("critical", 2000, 5), podOf("slow", 0, 100), podOf("quick", 1, 3), podOf("low", -5, 3)];
  await using node = watch({
    logind: { address: logind.address, settings: logind.settings },
    pods: () => pods,
    terminate: async ({ metadata: { name = "" } }, message, seconds) => {
      assert.match(message, /^Pod was terminated in response to imminent node shutdown\.$/);
      if (name === "slow") await held.promise;
      ended.push(`${name} ${seconds}`);
    },
  });
  await node.until(WATCHING);
  // The five seconds were too few for what its pods may take.
  assert.match(await readFile(`${logind.settings}/99-boxship.conf`, "utf8"), /^\[Login\]\nInhibitDelayMaxSec=70$/m);
  assert.deepEqual(await logind.locks(), [["boxship", "Pods need time to end"]]);
  await logind.powerOff();
  await node.until("going");
  assert.ok(node.shutdown.isGoing);
  assert.equal((await logind.locks()).length, 1, "it waits");
  held.resolve();
  assert.equal(await logind.goesDown(), "poweroff.target");
  assert.deepEqual(ended, ["quick 3", "low 3", "slow 60", "critical 5"]);
  assert.deepEqual(
    node.told.filter((word) => ["going", "began", "ended"].includes(word)),
    ["going", "began", "ended"],
  );
  assert.deepEqual(await logind.locks(), []);

  node.told.length = 0;
  logind.cancel();
  await node.until("staying");
  while ((await logind.locks()).length === 0);
  assert.ok(!node.shutdown.isGoing);

  node.told.length = 0;
  await logind.restart();
  await node.until(WATCHING);
  assert.equal((await logind.locks()).length, 1, "a new logind is asked anew");

  // One that forgets a shutdown lets those live whose turn it was not.
  ended.length = 0;
  node.told.length = 0;
  held = Promise.withResolvers();
  await logind.powerOff();
  await node.until("going");
  await logind.restart();
  await node.until(WATCHING);
  held.resolve();
  assert.ok(node.told.indexOf("staying") > node.told.indexOf("going"));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(ended, ["quick 3", "low 3", "slow 60"]);
});

test("a machine without logind, and one that cannot wait so long, are told of once", { skip }, async () => {
  await using directory = tempDir();
  await using alone = watch({
    logind: { address: `unix:path=${directory.path}/none` },
    pods: () => [],
    terminate: async () => {},
  });
  const word = "pods will end with the machine: its shutdown cannot be delayed by systemd-logind";
  await alone.until(`${word}: {"error":"no message bus answers at ${directory.path}/none"}`);
  await using logind = await startLogind(5);
  // Elsewhere its settings are never read.
  await using short = watch({
    logind: { address: logind.address, settings: directory.path },
    pods: () => [],
    terminate: async () => {},
  });
  const error =
    "node shutdown manager was unable to update logind InhibitDelayMaxSec to 70s (ShutdownGracePeriod), current value of InhibitDelayMaxSec (5s) is less than requested ShutdownGracePeriod";
  const remedy = `set InhibitDelayMaxSec=70 in a file of ${directory.path}`;
  await short.until(`${word}: ${JSON.stringify({ error, remedy })}`);
  assert.deepEqual(await logind.locks(), []);
  assert.deepEqual(alone.told.length, 1);
});
