import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { REGISTRY_USER, runProgram, startRegistry, type TempDir, type TestRegistry, tempDir } from "@boxship/testkit";
import { type DockerClient, type EngineUnderTest, IMAGE, startEngineUnderTest } from "../testing/engine-under-test.ts";

let engine: EngineUnderTest;
let registry: TestRegistry;
/** Where the daemon finds log-ins of its own. */
let daemonConfig: TempDir;
let serial = 0;

const withEach = (task: (docker: DockerClient) => Promise<void>) => async () => {
  for (const docker of engine.docker) await task(docker);
};

const inspect = (docker: DockerClient, name: string, format: string) =>
  docker.ok(["image", "inspect", "-f", format, name]);

describe("pushing through the docker command line", { timeout: 240_000 }, () => {
  before(async () => {
    daemonConfig = tempDir("daemon-config");
    const env = { DOCKER_CONFIG: daemonConfig.path };
    [engine, registry] = await Promise.all([startEngineUnderTest({ env }), startRegistry()]);
  });
  after(async () => {
    await engine[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
    await daemonConfig[Symbol.asyncDispose]();
  });

  test(
    "pushed, removed, pulled again: the same image, which runs",
    withEach(async (docker) => {
      const name = `${registry.host}/team/app${serial++}:v1`;
      await docker.ok(["tag", IMAGE, name]);
      const pushed = await docker.ok(["push", name]);
      assert.match(pushed, /^The push refers to repository \[127\.0\.0\.1:\d+\/team\/app\d+\]/);
      assert.match(pushed, /[0-9a-f]{12}: Preparing[^]*[0-9a-f]{12}: (?:Pushed|Mounted from \S+)/);
      const digest = /v1: digest: (sha256:[0-9a-f]{64}) size: \d+/.exec(pushed)?.[1];
      assert.ok(digest);
      const id = await inspect(docker, name, "{{.Id}}");
      assert.match(await inspect(docker, name, "{{.RepoDigests}}"), new RegExp(`/team/app\\d+@${digest}`));
      assert.match(await docker.ok(["push", name]), /Layer already exists/);
      await docker.ok(["rmi", name]);
      await docker.ok(["pull", name.replace(/:v1$/, `@${digest}`)]);
      await docker.ok(["pull", name]);
      assert.equal(await inspect(docker, name, "{{.Id}}"), id);
      assert.equal(await docker.ok(["run", "--rm", "--network", "none", name, "echo", "back"]), "back");
      await docker.ok(["rmi", name]);
    }),
  );

  test(
    "all tags, quiet, and what there is none of",
    withEach(async (docker) => {
      const repository = `${registry.host}/many/app${serial++}`;
      for (const tag of ["a", "b"]) await docker.ok(["tag", IMAGE, `${repository}:${tag}`]);
      const pushed = await docker.ok(["push", "--all-tags", repository]);
      assert.match(pushed, /a: digest: sha256:[^]*b: digest: sha256:/);
      const { stdout } = await runProgram(["skopeo", "list-tags", "--tls-verify=false", `docker://${repository}`]);
      assert.deepEqual((JSON.parse(stdout) as { Tags: string[] }).Tags.sort(), ["a", "b"]);
      assert.equal(await docker.ok(["push", "-q", `${repository}:a`]), `${repository}:a`);
      const missing = await docker.run(["push", `${repository}:none`]);
      assert.equal(missing.status, 1);
      assert.match(missing.stderr, /An image does not exist locally with the tag/);
      await docker.ok(["rmi", `${repository}:a`, `${repository}:b`]);
      const pulled = await docker.ok(["pull", "--all-tags", repository]);
      for (const tag of ["a", "b"]) assert.match(pulled, new RegExp(`^${tag}: Pulling from many`, "m"));
      assert.match(pulled, /^Status: Downloaded newer image for [^:]+:\d+\/many\/app\d+$/m);
      assert.match(
        await docker.ok(["pull", "-a", repository]),
        /^Status: Image is up to date for [^:]+:\d+\/many\/app\d+$/m,
      );
      assert.match(
        (await docker.run(["pull", "-a", `${repository}x`])).stderr,
        /repository .*x not found|not found|name unknown/,
      );
      assert.equal((await docker.ok(["images", "-q", repository])).split("\n").length, 2);
      await docker.ok(["rmi", `${repository}:a`, `${repository}:b`]);
    }),
  );

  test(
    "a registry that wants an account",
    withEach(async (docker) => {
      await using locked = await startRegistry({ auth: "htpasswd" });
      await using config = tempDir("docker-config");
      const name = `${locked.host}/locked/app:1`;
      await docker.ok(["tag", IMAGE, name]);
      const { username, password } = REGISTRY_USER;
      const auth = Buffer.from(`${username}:${password}`).toString("base64");
      const login = JSON.stringify({ auths: { [locked.host]: { auth } } });
      // The daemon's own log-in is nobody else's.
      await writeFile(daemonConfig.join("config.json"), login);
      const refused = await docker.run(["push", name], { env: { DOCKER_CONFIG: config.path } });
      assert.equal(refused.status, 1);
      assert.match(refused.stderr, /denied|no basic auth credentials|unauthorized/);
      await writeFile(config.join("config.json"), login);
      assert.match(await docker.ok(["push", name], { env: { DOCKER_CONFIG: config.path } }), /1: digest: sha256:/);
      const remote = await engine.client.call("GET", `/distribution/${name}/json`);
      assert.ok(remote.status >= 400, remote.text);
      await docker.ok(["rmi", name]);
    }),
  );

  test("what a registry has is told without a pull", async () => {
    const name = `${registry.host}/remote/app:1`;
    const [docker] = engine.docker;
    await docker?.ok(["tag", IMAGE, name]);
    await docker?.ok(["push", name]);
    const remote = await engine.client.json<{
      readonly Descriptor: { readonly digest: string; readonly size: number; readonly mediaType: string };
      readonly Platforms: readonly { readonly os: string; readonly architecture: string }[];
    }>("GET", `/distribution/${encodeURIComponent(name)}/json`);
    assert.match(remote.Descriptor.digest, /^sha256:/);
    assert.equal(remote.Platforms[0]?.os, "linux");
    const none = await engine.client.call("GET", `/distribution/${registry.host}/remote/none/json`);
    assert.ok(none.status >= 400, String(none.status));
    assert.match(none.text, /manifest unknown|name unknown/);
  });
});
