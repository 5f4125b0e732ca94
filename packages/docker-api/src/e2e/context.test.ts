import assert from "node:assert/strict";
import { test } from "node:test";
import { tempDir } from "@boxship/testkit";
import { IMAGE, startEngineUnderTest } from "../testing/engine-under-test.ts";

test("docker context create: a client that keeps the engine's address under a name", { timeout: 60_000 }, async () => {
  await using directory = tempDir("context");
  await using engine = await startEngineUnderTest();
  for (const client of engine.docker) {
    const { version } = client;
    const env = { DOCKER_HOST: undefined, DOCKER_CONFIG: directory.join(version) };
    const ok = async (...args: string[]) => {
      const { status, stdout, stderr } = await client.run(args, { env });
      assert.equal(status, 0, `${version}: docker ${args.join(" ")}: ${stdout}${stderr}`);
      return stdout.trim();
    };
    await ok("context", "create", "boxship", "--docker", `host=unix://${engine.socketPath}`);
    assert.equal(await ok("--context", "boxship", "run", "--rm", IMAGE, "echo", "by context"), "by context");
    await ok("context", "use", "boxship");
    assert.match(await ok("info", "--format", "{{.Driver}}"), /overlay/);
    assert.match(await ok("context", "ls", "--format", "{{.Name}} {{.DockerEndpoint}}"), /boxship unix:/);
  }
});
