import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import { daemonProgram, runProgram, startBoxship, tempDir } from "@boxship/testkit";

test("a start that fails leaves no bridge, unless containers are on it", async () => {
  await using directory = tempDir("failed-start");
  await using taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const config = directory.join("config.yaml");
  await writeFile(config, `registry: { listen: '127.0.0.1:${(taken.address() as AddressInfo).port}' }\n`);
  await using engine = await startBoxship();
  const { client, name, root } = engine;
  const links = () => readdirSync("/sys/class/net").filter((link) => link.startsWith(name));
  const fail = async () => {
    await engine.stop();
    const command = [...daemonProgram(), "--name", name, "--root", root, "--config", config];
    const { status, stdout, stderr } = await runProgram(command, { timeout: 60_000 });
    assert.match(`${stdout}${stderr}`, /EADDRINUSE|in use/);
    assert.equal(status, 1);
  };
  await client.call("POST", "/boxship/images/bootstrap?kind=busybox");
  const made = { Image: "busybox", Cmd: ["sleep", "1000"] };
  const { Id } = await client.json<{ Id: string }>("POST", "/containers/create", made);
  await client.json("POST", `/containers/${Id}/start`);
  const bridge = links();
  assert.notEqual(bridge.length, 0);
  await fail();
  assert.deepEqual(links(), bridge);
  await engine.start();
  await client.json("DELETE", `/containers/${Id}?force=1`);
  await fail();
  assert.deepEqual(links(), []);
  const { stdout } = await runProgram(["nft", "list", "tables"]);
  assert.ok(!stdout.includes(name), stdout);
});
