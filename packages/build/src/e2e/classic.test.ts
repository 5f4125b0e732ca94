import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname } from "node:path";
import { Readable } from "node:stream";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import {
  type Boxship,
  type Dockerd,
  dockerCli,
  dockerProgram,
  type EngineClient,
  makeTar,
  OLD_DOCKER,
  type Ran,
  REGISTRY_USER,
  runProgram,
  startBoxship,
  startDockerd,
  startRegistry,
  tempDir,
} from "@boxship/testkit";
import Docker from "dockerode";
import { type CorpusCase, corpus } from "../testing/corpus.ts";

const COMPOSE_1 = "/usr/bin/docker-compose";

/** What Docker's classic builder of 20.10 does not know. */
const BUILDKIT_ONLY =
  /^(?:heredoc|run-mount|run-network|copy-link|copy-parents|copy-exclude|copy-chmod|include|platform-args|syntax-directive)/;
/** Cases whose result is ours on purpose. */
const DIFFERS: Readonly<Record<string, string>> = {
  "env-patterns": "20.10 knows no patterns in variables",
  "env-modifiers": "20.10 knows no modifiers without a colon",
  "no-shell-expansion": "20.10 takes the escaped dollar for a variable",
};

interface Engine {
  readonly socketPath: string;
  readonly client: EngineClient;
  readonly docker: (...args: readonly string[]) => Promise<Ran>;
}

function engineOn({ socketPath, client }: Boxship | Dockerd): Engine {
  const env = { DOCKER_HOST: `unix://${socketPath}`, DOCKER_BUILDKIT: "0" };
  return { socketPath, client, docker: (...args) => runProgram([OLD_DOCKER, ...args], { env }) };
}

async function ok(engine: Engine, ...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await engine.docker(...args);
  assert.equal(status, 0, `docker ${args.join(" ")}: ${stderr}${stdout}`);
  return stdout;
}

/** Ids differ from build to build. */
function masked(text: string): string {
  return (
    text
      .replace(/^Sending build context.*\n/gm, "")
      // Docker 20.10 says it in other words than Docker 23 and later.
      .replace(/^Note: overriding previous HEALTHCHECK.*\n/gm, "")
      .replace(/(?: "0s")+ '\\x/g, " '\\x")
      .replace(/^Removing intermediate/gm, " ---> Removed intermediate")
      .replace(/\b[0-9a-f]{64}\b/g, "DIGEST")
      .replace(/\b[0-9a-f]{12}\b/g, "ID")
  );
}

describe("docker build, beside Docker's own classic builder", { concurrency: 2 }, () => {
  let boxship: Boxship;
  let dockerd: Dockerd;
  let engines: readonly [Engine, Engine];

  before(async () => {
    [boxship, dockerd] = await Promise.all([startBoxship(), startDockerd({ flags: ["--experimental"] })]);
    engines = [engineOn(boxship), engineOn(dockerd)];
    await boxship.client.call("POST", "/boxship/images/bootstrap?kind=busybox");
    const image = await runProgram([
      "sh",
      "-c",
      `docker -H unix://${boxship.socketPath} save busybox:latest | docker -H unix://${dockerd.socketPath} load`,
    ]);
    assert.equal(image.status, 0, image.stderr);
  });
  after(async () => {
    await Promise.all([boxship[Symbol.asyncDispose](), dockerd[Symbol.asyncDispose]()]);
  });

  async function built(engine: Engine, { name, directory }: CorpusCase, ...flags: readonly string[]) {
    const output = await ok(
      engine,
      "build",
      ...flags,
      "-t",
      `corpus/${name}`,
      "-f",
      `${directory}/Containerfile`,
      directory,
    );
    const image = `/v1.41/images/corpus/${name}`;
    const inspected = await engine.client.json<{ readonly Config: Readonly<Record<string, unknown>> }>(
      "GET",
      `${image}/json`,
    );
    const fields = [
      "User",
      "ExposedPorts",
      "Env",
      "Cmd",
      "Entrypoint",
      "Volumes",
      "WorkingDir",
      "Labels",
      "StopSignal",
    ];
    const more = ["Healthcheck", "Shell", "OnBuild"];
    const config = Object.fromEntries([...fields, ...more].map((key) => [key, emptyIsNull(inspected.Config[key])]));
    const steps = await engine.client.json<readonly { readonly CreatedBy: string }[]>("GET", `${image}/history`);
    const history = masked(steps.map(({ CreatedBy }) => CreatedBy).join("\n"));
    return { output: masked(output), config, history: history.replace(/(?:dir|file|multi):DIGEST/g, "SOURCE") };
  }

  test("--squash joins what was added to the base", async () => {
    await using directory = tempDir("squash");
    writeFileSync(
      directory.join("Dockerfile"),
      "FROM busybox AS first\nRUN echo 1 > /one; mkdir /d; echo x > /d/x\nFROM first\nRUN rm -r /one /d/x; rm /bin/watch; echo 2 > /two\nENV A=1\nRUN chown 1:2 /two; echo 3 > /d/three\n",
    );
    const [ours, theirs] = await Promise.all(
      engines.map(async (engine) => {
        const output = await ok(engine, "build", "--squash", "-t", "squashed", directory.path);
        const history = await ok(
          engine,
          "history",
          "--no-trunc",
          "--format",
          "{{.CreatedBy}}|{{.Comment}}|{{.Size}}",
          "squashed",
        );
        const [image] = JSON.parse(await ok(engine, "image", "inspect", "squashed")) as [
          { readonly RootFS: { readonly Layers: readonly string[] } },
        ];
        const script = "stat -c '%n %a %u:%g' /one /two /d /d/* /bin/watch /bin/sh 2>&1; true";
        const files = await ok(engine, "run", "--rm", "--network", "none", "squashed", "sh", "-c", script);
        const own = masked(history).split("\n").slice(0, -2);
        return { output: masked(output), history: own, layers: image.RootFS.Layers.length, files };
      }),
    );
    assert.deepEqual(ours, theirs);
  });

  for (const one of corpus()) {
    const why = BUILDKIT_ONLY.test(one.name) ? "only BuildKit has it" : DIFFERS[one.name];
    test(one.name, { skip: why ?? false }, async () => {
      const [ours, theirs] = await Promise.all(engines.map((engine) => built(engine, one)));
      assert.deepEqual(ours, theirs);
    });
  }

  test("Docker 28's client with DOCKER_BUILDKIT=0", { skip: dockerProgram() ? false : "not here" }, async () => {
    const current = engines.map(({ socketPath, client }): Engine => {
      const docker = dockerCli(socketPath);
      const env = { DOCKER_BUILDKIT: "0" };
      return {
        socketPath,
        client,
        docker: (...args) => docker?.(args, { env }) ?? Promise.reject(new Error("no client")),
      };
    });
    for (const one of corpus().filter(({ name }) => /^(?:multi-stage|onbuild|healthcheck|ignore)$/.test(name))) {
      const [ours, theirs] = await Promise.all(current.map((engine) => built(engine, one, "--no-cache")));
      assert.deepEqual(ours, theirs);
    }
    for (const engine of current) {
      await withContext({ Dockerfile: "FROM busybox\nRUN exit 3\n" }, async (directory) => {
        const { status, stderr } = await engine.docker("build", directory);
        assert.equal(status, 3);
        assert.match(stderr, /The command '\/bin\/sh -c exit 3' returned a non-zero code: 3/);
      });
    }
  });

  test("dockerode: an archive and its progress, failures, quiet builds", async () => {
    const archive = makeTar([
      { name: "Own", content: "FROM busybox\nARG WHO\nCOPY f /f\nRUN echo built for $WHO && cat /f\n" },
      { name: "f", content: "from the archive\n" },
    ]);
    const said = await Promise.all(
      engines.map(async ({ socketPath }) => {
        const docker = new Docker({ socketPath });
        const build = async (body: Buffer, options: object) =>
          told(await docker.buildImage(Readable.from([body]), options));
        const options = {
          dockerfile: "Own",
          buildargs: { WHO: "rode" },
          labels: { l: "m" },
          t: "rode:1",
          nocache: true,
        };
        const messages = await build(archive, options);
        const image = await docker.getImage("rode:1").inspect();
        const wrong = await build(makeTar([{ name: "Dockerfile", content: "FROM busybox\nRUN exit 5\n" }]), {});
        const quiet = await build(makeTar([{ name: "Dockerfile", content: "FROM busybox\nENV A=b\n" }]), { q: true });
        const { statusCode } = (await build(makeTar([{ name: "x" }]), {}).catch((error: unknown) => error)) as {
          readonly statusCode?: number;
        };
        return {
          messages: streams(messages),
          aux: messages.flatMap((message) => ("aux" in message ? [Object.keys(message["aux"] as object)] : [])),
          labels: image.Config.Labels,
          wrong: wrong.at(-1),
          quiet: masked(streams(quiet)),
          // Docker takes a missing file for a failure of its own.
          refused: statusCode === 500 ? 400 : statusCode,
        };
      }),
    );
    assert.deepEqual(said[0], said[1]);
    assert.match(said[0]?.messages ?? "", /built for rode\nfrom the archive\n/);
  });

  // Docker's daemon is in a network of its own here.
  test("dockerode: credentials for the base image, an address as the context", async () => {
    await using registry = await startRegistry({ auth: "htpasswd" });
    const base = `${registry.host}/base:1`;
    const archive = makeTar([{ name: "Dockerfile", content: `FROM ${base}\nRUN echo here\n` }]);
    await using served = await serve(archive);
    const docker = new Docker({ socketPath: boxship.socketPath });
    const { username, password } = REGISTRY_USER;
    await ok(engineOn(boxship), "tag", "busybox", base);
    await told(await docker.getImage(base).push({ authconfig: { username, password, serveraddress: registry.host } }));
    await ok(engineOn(boxship), "rmi", base);
    const build = async (body: Buffer, options: object) =>
      told(await docker.buildImage(Readable.from([body]), options));
    assert.match(
      JSON.stringify((await build(archive, {})).at(-1)),
      /"error":"[^"]*(?:unauthorized|denied|no basic auth|log in)/,
    );
    const registryconfig = { [registry.host]: { username, password } };
    assert.match(streams(await build(archive, { registryconfig })), /here\n[^]*Successfully built/);
    const remote = await build(Buffer.alloc(0), { registryconfig, remote: served.url, nocache: true });
    assert.match(streams(remote), /here\n[^]*Successfully built/);
  });

  test("dockerode: a client that goes away ends its build", async () => {
    const docker = new Docker({ socketPath: boxship.socketPath });
    const controller = new AbortController();
    const archive = makeTar([{ name: "Dockerfile", content: "FROM busybox\nRUN echo begun; sleep 67\n" }]);
    const stream = await docker.buildImage(Readable.from([archive]), { abortSignal: controller.signal });
    for await (const piece of stream) if (String(piece).includes("begun")) break;
    controller.abort();
    (stream as Readable).destroy();
    const running = async () => (await runProgram(["pgrep", "-fc", "sleep 67"])).stdout.trim();
    for (let tries = 0; (await running()) !== "0"; tries++) {
      assert.ok(tries < 300, "the command still runs");
      await delay(50);
    }
  });

  test("Compose 1.29 builds as it does with Docker", { skip: existsSync(COMPOSE_1) ? false : "not here" }, async () => {
    const files = {
      "docker-compose.yml": `version: "3.9"
services:
  web:
    image: composed:1
    build:
      context: app
      dockerfile: Own
      target: mid
      args: { A: "a b", B: }
      labels: { l: m }
      shm_size: 32m
      extra_hosts: [ "somewhere:192.0.2.7" ]
      cache_from: [ busybox ]
      network: none
    command: cat /out
  other:
    build: app
    image: composed:2
`,
      "app/Own": `FROM busybox AS mid
ARG A
ARG B
COPY f /f
RUN echo "$A $B" > /out && grep somewhere /etc/hosts >> /out && df /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2 >> /out
FROM mid
RUN false
`,
      "app/Dockerfile": "FROM busybox\nCOPY . /all\n",
      "app/f": "f",
      "app/.dockerignore": "skipped\n",
      "app/skipped": "x",
    };
    await withContext(files, async (directory) => {
      const said = await Promise.all(
        engines.map(async (engine) => {
          const env = {
            DOCKER_HOST: `unix://${engine.socketPath}`,
            COMPOSE_DOCKER_CLI_BUILD: "0",
            DOCKER_BUILDKIT: "0",
            COMPOSE_PROJECT_NAME: "built",
            B: "from outside",
          };
          const compose = (...args: readonly string[]) => runProgram([COMPOSE_1, ...args], { env, cwd: directory });
          const { status, stdout, stderr } = await compose("build");
          assert.equal(status, 0, stdout + stderr);
          const run = (image: string, ...args: readonly string[]) =>
            ok(engine, "run", "--rm", "--network", "none", image, ...args);
          return {
            output: masked(stdout).replace(/ ---> ID\n/g, ""),
            out: await run("composed:1", "cat", "/out"),
            all: await run("composed:2", "ls", "-A", "/all"),
            labels: await ok(engine, "image", "inspect", "-f", "{{.Config.Labels.l}}", "composed:1"),
          };
        }),
      );
      assert.deepEqual(said[0], said[1]);
      assert.equal(said[0]?.out, "a b from outside\n192.0.2.7\tsomewhere\n32768\n");
    });
  });
});

type Message = Readonly<Record<string, unknown>>;

/** All messages of a progress stream. */
async function told(stream: NodeJS.ReadableStream): Promise<readonly Message[]> {
  let text = "";
  for await (const piece of stream) text += String(piece);
  return text.split("\r\n").flatMap((line) => (line.trim() === "" ? [] : [JSON.parse(line) as Message]));
}

function streams(messages: readonly Message[]): string {
  return masked(messages.map(({ stream }) => (typeof stream === "string" ? stream : "")).join(""));
}

/** Calls with a directory of these files. */
async function withContext(
  files: Readonly<Record<string, string>>,
  use: (path: string) => Promise<void>,
): Promise<void> {
  await using directory = tempDir("classic");
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(directory.join(path)), { recursive: true });
    writeFileSync(directory.join(path), text);
  }
  await use(directory.path);
}

/** An archive under an address. */
async function serve(archive: Buffer): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { "Content-Type": "application/x-tar", "Content-Length": archive.length }).end(archive);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/context.tar`,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

function emptyIsNull(value: unknown): unknown {
  const isEmpty =
    value === undefined ||
    value === "" ||
    (typeof value === "object" && value !== null && Object.keys(value).length === 0);
  return isEmpty ? null : value;
}
