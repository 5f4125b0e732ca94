import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Boxship, runProgram, startBoxship } from "@boxship/testkit";

interface Created {
  readonly Id: string;
}

async function launch({ client }: Boxship, hostConfig: object, script: string): Promise<void> {
  const { text } = await client.call("POST", "/containers/create", {
    body: { Image: "busybox", Cmd: ["sh", "-c", script], HostConfig: hostConfig },
  });
  const { Id } = JSON.parse(text) as Created;
  await client.call("POST", `/containers/${Id}/start`);
}

const ROUNDS = Number(process.env["BOXSHIP_TEST_RESETS"] ?? "2");

test("a reset amid containers that start, end, restart and go leaves nothing in the kernel", async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const engine = await startBoxship();
    const { client, name } = engine;
    await client.call("POST", "/boxship/images/bootstrap?kind=busybox");
    const kinds = [
      { hostConfig: { AutoRemove: true }, script: "sleep 0.2" },
      { hostConfig: { AutoRemove: true, NetworkMode: "none" }, script: "exit 3" },
      { hostConfig: { RestartPolicy: { Name: "always" } }, script: "sleep 0.1" },
      { hostConfig: { RestartPolicy: { Name: "on-failure" }, NetworkMode: "none" }, script: "exit 1" },
      { hostConfig: {}, script: "trap '' TERM; sleep 1000" },
    ];
    // Some are cut off by the reset, whatever they were at.
    for (const { hostConfig, script } of [...kinds, ...kinds, ...kinds]) {
      void launch(engine, hostConfig, script).catch(() => {});
    }
    await delay(Math.random() * 1000);
    // Throws unless the engine ended with 0.
    await engine[Symbol.asyncDispose]();
    assert.deepEqual(
      readdirSync("/sys/class/net").filter((link) => link.startsWith(name)),
      [],
    );
    const { stdout } = await runProgram(["nft", "list", "tables"]);
    assert.ok(!stdout.includes(name), stdout);
  }
});
