import assert from "node:assert/strict";
import { readFile, truncate, writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { runProgram, startDockerd, type TempDir, tempDir } from "@boxship/testkit";
import { type DockerClient, type EngineUnderTest, IMAGE, startEngineUnderTest } from "../testing/engine-under-test.ts";

let engine: EngineUnderTest;
let directory: TempDir;
let serial = 0;

const withEach = (task: (docker: DockerClient) => Promise<void>) => async () => {
  for (const docker of engine.docker) await task(docker);
};

const idOf = (docker: DockerClient, name: string) => docker.ok(["image", "inspect", "-f", "{{.Id}}", name]);

describe("images as archives through the docker command line", { timeout: 240_000 }, () => {
  before(async () => {
    directory = tempDir("archives");
    engine = await startEngineUnderTest();
  });
  after(async () => {
    await engine[Symbol.asyncDispose]();
    await directory[Symbol.asyncDispose]();
  });

  test(
    "saved, removed, loaded again: the same image under the same names, and it runs",
    withEach(async (docker) => {
      const [one, two] = [`saved/app:${serial++}`, `saved/other:${serial++}`];
      await docker.ok(["tag", IMAGE, one]);
      await docker.ok(["tag", IMAGE, two]);
      const id = await idOf(docker, IMAGE);
      const file = directory.join(`saved-${serial++}.tar`);
      await docker.ok(["save", "-o", file, one, two]);
      await docker.ok(["rmi", one, two]);
      const loaded = await docker.ok(["load", "-i", file]);
      assert.deepEqual(
        loaded
          .split("\n")
          .filter((line) => line.startsWith("Loaded"))
          .sort(),
        [`Loaded image: ${one}`, `Loaded image: ${two}`],
      );
      assert.deepEqual([await idOf(docker, one), await idOf(docker, two)], [id, id]);
      assert.equal(await docker.ok(["run", "--rm", "--network", "none", one, "echo", "hello"]), "hello");
      const again = directory.join(`again-${serial++}.tar`);
      await docker.ok(["save", "-o", again, one, two]);
      assert.ok((await readFile(file)).equals(await readFile(again)), "saving is deterministic");
      await docker.ok(["rmi", one, two]);
    }),
  );

  test(
    "by standard input and output, compressed, by id and by repository",
    withEach(async (docker) => {
      const repository = `piped/app${serial++}`;
      for (const tag of ["a", "b"]) await docker.ok(["tag", IMAGE, `${repository}:${tag}`]);
      const shell = async (line: string) => {
        const ran = await runProgram(["sh", "-c", line], { env: { ...docker.env, docker: docker.program } });
        assert.equal(ran.status, 0, ran.stderr);
        return ran.stdout;
      };
      const file = directory.join(`piped-${serial++}.tar`);
      await shell(`"$docker" save ${repository} > ${file}`);
      await docker.ok(["rmi", `${repository}:a`, `${repository}:b`]);
      await writeFile(`${file}.gz`, gzipSync(await readFile(file)));
      const loaded = await shell(`"$docker" load < ${file}.gz`);
      assert.match(loaded, new RegExp(`Loaded image: ${repository}:a[^]*Loaded image: ${repository}:b`));
      const id = await idOf(docker, IMAGE);
      await docker.ok(["save", "-o", file, id]);
      assert.equal(await docker.ok(["load", "-q", "-i", file]), `Loaded image ID: ${id}`);
      await docker.ok(["rmi", `${repository}:a`, `${repository}:b`]);
    }),
  );

  test(
    "what is refused",
    withEach(async (docker) => {
      const file = directory.join(`bad-${serial++}.tar`);
      const missing = await docker.run(["save", "-o", file, "not-here:1"]);
      assert.equal(missing.status, 1);
      assert.match(missing.stderr, /[Nn]o such image|reference does not exist/);
      await docker.ok(["save", "-o", file, IMAGE]);
      await truncate(file, 100_000);
      const images = await docker.ok(["images", "-aq"]);
      const cut = await docker.run(["load", "-i", file]);
      assert.equal(cut.status, 1);
      assert.match(cut.stderr, /truncated|unexpected EOF|ends/);
      await writeFile(file, "no archive");
      assert.equal((await docker.run(["load", "-i", file])).status, 1);
      assert.equal(await docker.ok(["images", "-aq"]), images);
    }),
  );
});

describe("archives of Docker's own daemon", {
  timeout: 240_000,
  skip: process.env["BOXSHIP_TEST_REFERENCE"] === "dockerd",
}, () => {
  test("what it saves is loaded here, what is saved here is loaded there, with the same id", async () => {
    await using files = tempDir("dockerd-archives");
    await using ours = await startEngineUnderTest();
    await using theirs = await startDockerd();
    const [docker] = ours.docker;
    assert.ok(docker);
    const there = (...args: string[]) => docker.ok(["-H", `unix://${theirs.socketPath}`, ...args]);
    const ourFile = files.join("ours.tar");
    await docker.ok(["save", "-o", ourFile, IMAGE]);
    assert.equal(await there("load", "-i", ourFile), `Loaded image: ${IMAGE}`);
    assert.equal(await there("image", "inspect", "-f", "{{.Id}}", IMAGE), await idOf(docker, IMAGE));
    // Two images that share a layer, which Docker before 25 writes once, with a link.
    const parent = await there("create", IMAGE, "true");
    await there("cp", files.path, `${parent}:/added`);
    await there("commit", "-c", 'CMD ["echo","theirs"]', parent, "theirs/app:1");
    const theirFile = files.join("theirs.tar");
    await there("save", "-o", theirFile, IMAGE, "theirs/app:1");
    await docker.ok(["load", "-i", theirFile]);
    assert.equal(await idOf(docker, "theirs/app:1"), await there("image", "inspect", "-f", "{{.Id}}", "theirs/app:1"));
    assert.equal(await docker.ok(["run", "--rm", "--network", "none", "theirs/app:1"]), "theirs");
    assert.equal(await docker.ok(["run", "--rm", "--network", "none", "theirs/app:1", "ls", "-d", "/added"]), "/added");
  });
});
