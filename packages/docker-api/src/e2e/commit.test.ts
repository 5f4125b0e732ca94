import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { makeTar, type TempDir, tempDir } from "@boxship/testkit";
import { type DockerClient, type EngineUnderTest, IMAGE, startEngineUnderTest } from "../testing/engine-under-test.ts";

let engine: EngineUnderTest;
let directory: TempDir;
let serial = 0;

const withEach = (task: (docker: DockerClient) => Promise<void>) => async () => {
  for (const docker of engine.docker) await task(docker);
};

const isReference = process.env["BOXSHIP_TEST_REFERENCE"] === "dockerd";

interface ImageInspect {
  readonly Id: string;
  readonly Comment: string;
  readonly Author: string;
  readonly Config: Readonly<Record<string, unknown>>;
  readonly RootFS: { readonly Layers: readonly string[] };
}

const inspect = (name: string) => engine.client.json<ImageInspect>("GET", `/images/${name}/json`);

/** Runs a container to its end and makes an image of it. */
async function committed(docker: DockerClient, script: string, run: string[], commit: string[]): Promise<string> {
  const name = `commit-${serial++}`;
  const image = `made/${name}:1`;
  await docker.ok(["run", "--name", name, "--network", "none", ...run, IMAGE, "sh", "-c", script]);
  const id = await docker.ok(["commit", ...commit, name, image]);
  assert.match(id, /^sha256:[0-9a-f]{64}$/);
  await docker.ok(["rm", "-v", name]);
  return image;
}

const output = (docker: DockerClient, image: string, ...command: string[]) =>
  docker.ok(["run", "--rm", "--network", "none", image, ...command]);

describe("committing and importing through the docker command line", { timeout: 240_000 }, () => {
  before(async () => {
    directory = tempDir("commit");
    engine = await startEngineUnderTest();
  });
  after(async () => {
    await engine[Symbol.asyncDispose]();
    await directory[Symbol.asyncDispose]();
  });

  test(
    "an image holds what a container has added, changed and removed, and nothing of its mounts",
    withEach(async (docker) => {
      const script =
        "echo new > /added; rm /etc/group; echo more >> /etc/passwd; mkdir -p /a/b; ln -s b /a/link; echo v > /data/v; echo t > /tmpfs/t";
      const image = await committed(docker, script, ["-v", "/data", "--tmpfs", "/tmpfs"], []);
      const listing = await output(
        docker,
        image,
        "sh",
        "-c",
        "cat /added; ls -d /etc/group /a/link; tail -1 /etc/passwd; ls /data",
      );
      assert.equal(listing.replace(/.*group.*\n/, ""), "new\n/a/link\nmore");
      const { RootFS } = await inspect(image);
      assert.equal(RootFS.Layers.length, (await inspect(IMAGE)).RootFS.Layers.length + 1);
      // What is in the new layer itself.
      const file = directory.join(`${serial++}.tar`);
      await docker.ok(["save", "-o", file, image]);
      const names = (await layerNames(file)).filter((name) => !/^(?:data|tmpfs)\/?$/.test(name));
      assert.deepEqual(names, ["a/", "a/b/", "a/link", "added", "etc/", "etc/.wh.group", "etc/passwd"]);
    }),
  );

  test(
    "its configuration is the container's, with the changes asked for",
    withEach(async (docker) => {
      const changes = [
        'CMD ["cat", "/added"]',
        "ENV A=1 PATH=$PATH:/own/bin",
        "EXPOSE 80 53/udp",
        'LABEL one=1 two="t w o"',
        "WORKDIR sub",
        "USER 1000:1000",
        "VOLUME /vol",
        // Docker 20.10 does not know it here.
        ...(isReference ? [] : ["STOPSIGNAL SIGQUIT"]),
        "HEALTHCHECK --interval=5s CMD true",
        "ONBUILD RUN true",
      ].flatMap((change) => ["--change", change]);
      const flags = ["-e", "OWN=yes", "-e", "PATH=/bin", "-w", "/srv", "-l", "three=3"];
      const message = ["-m", "what it is", "-a", "Somebody <s@example.org>"];
      const image = await committed(docker, "echo works > /added", flags, [...message, ...changes]);
      const { Config, Comment, Author } = await inspect(image);
      assert.equal(Comment, "what it is");
      assert.equal(Author, "Somebody <s@example.org>");
      const path = (Config["Env"] as readonly string[]).find((entry) => entry.startsWith("PATH="));
      assert.match(path ?? "", /:\/own\/bin$/);
      const { Cmd, ExposedPorts, Labels, WorkingDir, User, Volumes, StopSignal, Healthcheck, OnBuild } = Config;
      assert.deepEqual(
        { Cmd, ExposedPorts, Labels, WorkingDir, User, Volumes, StopSignal, Healthcheck, OnBuild },
        {
          Cmd: ["cat", "/added"],
          ExposedPorts: { "80/tcp": {}, "53/udp": {} },
          Labels: { one: "1", two: "t w o", three: "3" },
          WorkingDir: "/srv/sub",
          User: "1000:1000",
          Volumes: { "/vol": {} },
          StopSignal: isReference ? undefined : "SIGQUIT",
          Healthcheck: { Test: ["CMD-SHELL", "true"], Interval: 5_000_000_000 },
          OnBuild: ["RUN true"],
        },
      );
      assert.ok((Config["Env"] as readonly string[]).includes("OWN=yes"));
      assert.equal(await output(docker, image), "works");
      const history = await docker.ok(["history", "--no-trunc", "--format", "{{.CreatedBy}}|{{.Comment}}", image]);
      assert.equal(history.split("\n")[0], "sh -c echo works > /added|what it is");
    }),
  );

  test(
    "an entrypoint drops the command, a command does not drop the entrypoint",
    withEach(async (docker) => {
      const entrypoint = await committed(docker, "true", [], ["-c", 'ENTRYPOINT ["echo", "e"]']);
      assert.equal(await output(docker, entrypoint), "e");
      const both = await committed(docker, "true", [], ["-c", 'CMD ["c"]', "-c", 'ENTRYPOINT ["echo", "e"]']);
      assert.equal(await output(docker, both), "e c");
    }),
  );

  test(
    "a running container is paused for it, and goes on",
    withEach(async (docker) => {
      const name = `busy-${serial++}`;
      const loop = "i=0; while :; do i=$((i+1)); echo $i > /t; mv /t /count; cp /count /u; mv /u /copy; done";
      await docker.ok(["run", "-d", "--name", name, "--network", "none", IMAGE, "sh", "-c", loop]);
      await docker.ok(["exec", name, "sh", "-c", "until test -e /copy; do :; done"]);
      const image = await docker.ok(["commit", name]);
      assert.equal(await docker.ok(["inspect", "-f", "{{.State.Status}}", name]), "running");
      const [count, copy] = (await output(docker, image, "cat", "/count", "/copy")).split("\n").map(Number);
      assert.ok(Math.abs((count ?? 0) - (copy ?? 0)) <= 1, `${count} ${copy}`);
      const reached = Number(await docker.ok(["exec", name, "cat", "/count"]));
      await docker.ok(["commit", "--pause=false", name]);
      assert.ok(Number(await docker.ok(["exec", name, "cat", "/count"])) >= reached);
      await docker.ok(["rm", "-f", name]);
    }),
  );

  test(
    "what has changed nothing adds no layer, and mistakes are refused",
    withEach(async (docker) => {
      const name = `idle-${serial++}`;
      await docker.ok(["create", "--name", name, IMAGE, "true"]);
      const id = await docker.ok(["commit", name]);
      assert.equal((await inspect(id)).RootFS.Layers.length, (await inspect(IMAGE)).RootFS.Layers.length);
      const mistakes: readonly (readonly [RegExp, ...string[]])[] = [
        [/[Nn]o such container/, "nobody"],
        [/RUN is not a valid change command/i, "-c", "RUN make", name],
        [/invalid reference format/, name, "Upper:1"],
      ];
      for (const [message, ...args] of mistakes) {
        const { status, stderr } = await docker.run(["commit", ...args]);
        assert.equal(status, 1);
        assert.match(stderr, message);
      }
      await docker.ok(["rm", name]);
    }),
  );

  test(
    "exported and imported: a file, a compressed one, standard input and an address",
    withEach(async (docker) => {
      const container = await docker.ok(["create", IMAGE, "true"]);
      const file = directory.join(`export-${serial++}.tar`);
      await docker.ok(["export", "-o", file, container]);
      await docker.ok(["rm", container]);
      const bytes = await readFile(file);
      await writeFile(`${file}.gz`, gzipSync(bytes));
      const image = `imported/app:${serial++}`;
      const flags = ["-c", 'CMD ["echo", "imported"]', "-c", "ENV A=b", "-m", "from a test"];
      for (const source of [file, `${file}.gz`]) {
        assert.match(await docker.ok(["import", ...flags, source, image]), /^sha256:[0-9a-f]{64}$/);
        assert.equal(await output(docker, image), "imported");
      }
      const fromInput = await docker.ok(["import", "-", image], { input: bytes });
      assert.match(fromInput, /sha256:[0-9a-f]{64}$/);
      const { RootFS, Comment } = await inspect(image);
      assert.equal(RootFS.Layers.length, 1);
      assert.equal(Comment, "Imported from -");
      assert.equal(await output(docker, image, "echo", "runs"), "runs");
      const broken = await docker.run(["import", "-"], { input: bytes.subarray(0, bytes.length / 2) });
      assert.equal(broken.status, 1);
    }),
  );

  // The reference runs in a network namespace of its own.
  test("imported by the engine from an address", { skip: isReference }, async () => {
    const archive = makeTar([{ name: "hello", content: "from afar" }]);
    const server = createServer((request, response) => {
      if (request.url === "/moved") response.writeHead(302, { location: "/archive.tar" }).end();
      else if (request.url === "/archive.tar") response.end(archive);
      else if (request.url === "/cut") {
        response.writeHead(200, { "content-length": String(archive.length) }).write(archive.subarray(0, 600));
        setTimeout(() => response.destroy(), 50);
      } else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const [docker] = engine.docker;
    assert.ok(docker);
    try {
      assert.match(
        await docker.ok(["import", `${base}/moved`, "afar:1"]),
        /Downloading from http[^]*sha256:[0-9a-f]{64}/,
      );
      assert.equal((await inspect("afar:1")).Comment, `Imported from ${base}/moved`);
      assert.match((await docker.run(["import", `${base}/none`])).stderr, /answered 404/);
      assert.match((await docker.run(["import", `${base}/cut`])).stderr, /cannot be fetched/);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});

/** Names in the top layer of the one image in an archive, whichever of its forms that has. */
async function layerNames(file: string): Promise<readonly string[]> {
  const { runProgram } = await import("@boxship/testkit");
  const { stdout } = await runProgram(["tar", "-xOf", file, "manifest.json"]);
  const [{ Layers } = { Layers: [] as string[] }] = JSON.parse(stdout) as { Layers: string[] }[];
  const list = `tar -xOf "${file}" "${Layers.at(-1)}" | (zcat -f || cat) | tar -t`;
  return (await runProgram(["sh", "-c", list])).stdout.trim().split("\n");
}
