import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { FailedPrecondition } from "@boxship/base";
import { dockerCli, dockerProgram, type RunOptions, runProgram, tempDir } from "@boxship/testkit";
import { BuildError, type BuildFailure } from "../contract.ts";
import { endTransferWorkers } from "./files/transfer.ts";
import { RecordingSolver, startTestDoor } from "./testing/test-door.ts";

after(() => endTransferWorkers());

const buildx = await hasBuildx();

async function hasBuildx(): Promise<boolean> {
  const docker = dockerCli("/nowhere");
  return docker !== undefined && (await docker(["buildx", "version"])).status === 0;
}

function writeTree(root: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

interface Setup extends AsyncDisposable {
  readonly solver: RecordingSolver;
  readonly context: string;
  readonly socketPath: string;
  readonly directory: string;
  /** `docker ARGUMENTS`, which must succeed. @returns its output and messages */
  docker(args: readonly string[], options?: RunOptions): Promise<string>;
  /** The same, which must fail. */
  fails(args: readonly string[], options?: RunOptions): Promise<string>;
}

async function setUp(files: Readonly<Record<string, string>> = {}): Promise<Setup> {
  await using stack = new AsyncDisposableStack();
  const solver = new RecordingSolver();
  const door = stack.use(await startTestDoor(solver));
  const context = stack.use(tempDir("context"));
  writeTree(context.path, { Dockerfile: "FROM scratch\nCOPY . /\n", ...files });
  const cli = dockerCli(door.socketPath);
  assert.ok(cli);
  const run = async (args: readonly string[], options: RunOptions | undefined, wanted: boolean) => {
    const { status, stdout, stderr } = await cli(args, { timeout: 60_000, ...options });
    assert.equal(status === 0, wanted, `docker ${args.join(" ")}: ${status}\n${stdout}${stderr}`);
    return `${stdout}${stderr}`;
  };
  const owned = stack.move();
  return {
    solver,
    context: context.path,
    socketPath: door.socketPath,
    directory: door.directory,
    docker: (args, options) => run(args, options, true),
    fails: (args, options) => run(args, options, false),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

describe("docker buildx at BuildKit's services", { skip: buildx ? false : "buildx is not here" }, () => {
  test("everything that is asked for reaches the solver", async () => {
    await using setup = await setUp({
      "a.txt": "a",
      "sub/b": "b",
      "ignored/c": "c",
      ".dockerignore": "ignored\n# no\n",
    });
    await using other = tempDir("other");
    writeTree(other.path, { o: "other", skipped: "x", ".dockerignore": "skipped\n" });
    const options =
      "--build-arg A=b --label l=m --no-cache-filter one,two --pull --target t --platform linux/amd64,linux/arm64 " +
      "--add-host a:1.2.3.4 --shm-size 128m --ulimit nofile=10:20 --network none --cgroup-parent /x " +
      "--allow security.insecure --cache-from r/c -t a:1 -t b:2 " +
      "--output type=image --annotation k=v --annotation index:i=w --build-context img=docker-image://alpine:3 --build-context none=docker-image://scratch " +
      "--build-context g=https://example.com/r.git#main:dir";
    await setup.docker([
      "buildx",
      "build",
      ...options.split(" "),
      "--build-context",
      `foo=${other.path}`,
      setup.context,
    ]);
    const [build] = setup.solver.builds;
    assert.ok(build);
    const { secret, ssh, credentials, context, contexts, file, ...request } = build.request;
    assert.ok(secret !== undefined && ssh !== undefined && credentials !== undefined);
    assert.equal(context.kind, "provider");
    assert.deepEqual(contexts?.["none"], { kind: "empty" });
    assert.ok(file.kind === "bytes" && file.name === "Dockerfile");
    assert.equal(Buffer.from(file.ignore ?? []).toString(), "ignored\n# no\n");
    assert.deepEqual(request, {
      args: { A: "b" },
      labels: { l: "m" },
      target: "t",
      platforms: ["linux/amd64", "linux/arm64"],
      noCache: ["one", "two"],
      pull: true,
      network: "none",
      extraHosts: ["a:1.2.3.4"],
      shmSize: 128 << 20,
      ulimits: [{ name: "nofile", soft: 10, hard: 20 }],
      cgroupParent: "/x",
      history: "buildkit",
      annotations: { k: "v" },
      indexAnnotations: { i: "w" },
      attestations: { provenance: { mode: "min", version: "v0.2", inlineOnly: true } },
      cacheFrom: [{ kind: "registry", reference: "r/c" }],
      cacheTo: [],
      entitlements: ["security.insecure"],
      outputs: [{ kind: "image", names: ["a:1", "b:2"], push: false, store: true }],
    });
    const { Dockerfile: _file, ".dockerignore": _ignore, ...files } = build.files;
    assert.deepEqual(files, {
      "a.txt": "a",
      "sub/b": "b",
      "ignored/c": "c",
      "img/image": "alpine:3",
      "g/git": "https://example.com/r.git#main:dir",
      "foo/o": "other",
      "foo/.dockerignore": "skipped\n",
    });
  });

  test("results go where the client wants them", async () => {
    await using setup = await setUp({ "a.txt": "a", "sub/b": "b" });
    await using out = tempDir("out");
    symlinkSync("sub/b", join(setup.context, "link"));
    for (const type of ["tar", "oci", "docker"]) {
      const dest = out.join(type);
      await setup.docker(["buildx", "build", "-q", "-o", `type=${type},dest=${dest}`, setup.context]);
      assert.equal((JSON.parse(readFileSync(dest, "utf8")) as Record<string, string>)["sub/b"], "b");
    }
    const tar = await setup.docker(["buildx", "build", "--progress", "plain", "-o", "-", setup.context]);
    assert.match(tar, /"sub\/b":"b"/);
    await setup.docker(["buildx", "build", "-q", "-o", out.join("local"), setup.context]);
    assert.deepEqual(readdirSync(out.join("local")).sort(), ["Dockerfile", "a.txt", "link", "sub"]);
    assert.equal(readFileSync(out.join("local/link"), "utf8"), "b");
    await setup.docker(["buildx", "build", "-o", "type=cacheonly", setup.context]);
    assert.deepEqual(setup.solver.builds.at(-1)?.request.outputs, [{ kind: "none" }]);
    const several = ["-o", `type=tar,dest=${out.join("t1")}`, "-o", `type=oci,dest=${out.join("t2")}`];
    await setup.docker(["buildx", "build", ...several, setup.context]);
    assert.equal(readFileSync(out.join("t1"), "utf8"), readFileSync(out.join("t2"), "utf8"));
    assert.match(
      await setup.fails(["buildx", "build", "-o", `type=oci,tar=false,dest=${out.join("t3")}`, setup.context]),
      /tar=false is not supported/,
    );
  });

  test("the image's id and the metadata are the client's", async () => {
    await using setup = await setUp();
    const id = await setup.docker(["buildx", "build", "-q", setup.context]);
    assert.match(id.trim(), /^sha256:[0-9a-f]{64}$/);
    const [iid, metadata] = [join(setup.directory, "iid"), join(setup.directory, "metadata")];
    await setup.docker(["buildx", "build", "--iidfile", iid, "--metadata-file", metadata, setup.context]);
    assert.equal(readFileSync(iid, "utf8"), id.trim());
    const read = JSON.parse(readFileSync(metadata, "utf8")) as Record<string, unknown>;
    assert.equal(read["containerimage.config.digest"], id.trim());
  });

  test("contexts and Containerfiles come on standard input", async () => {
    await using setup = await setUp({ "a.txt": "a" });
    const tar = await runProgram(["tar", "c", "-f", join(setup.directory, "c.tar"), "-C", setup.context, "."]);
    assert.equal(tar.status, 0);
    await setup.docker(["buildx", "build", "-"], { input: readFileSync(join(setup.directory, "c.tar")) });
    assert.deepEqual(setup.solver.builds[0]?.request.file, { kind: "context", path: "Dockerfile" });
    assert.match(setup.solver.builds[0]?.files["tar"] ?? "", /^10240 bytes/);
    await setup.docker(["buildx", "build", "-f", "-", setup.context], { input: "FROM other\n" });
    const file = setup.solver.builds[1]?.request.file;
    assert.ok(file?.kind === "bytes");
    assert.equal(Buffer.from(file.bytes).toString(), "FROM other\n");
    assert.equal(setup.solver.builds[1]?.files["a.txt"], "a");
  });

  test("the Containerfile is found by every name, through links, with its own ignore file", async () => {
    await using setup = await setUp({
      "build/App.Dockerfile": "FROM app\n",
      "build/App.Dockerfile.dockerignore": "x\n",
    });
    symlinkSync("build/App.Dockerfile", join(setup.context, "Linked"));
    const file = async (...args: string[]) => {
      await setup.docker(["buildx", "build", ...args, setup.context]);
      const found = setup.solver.builds.at(-1)?.request.file;
      assert.ok(found?.kind === "bytes");
      return { text: Buffer.from(found.bytes).toString(), ignore: Buffer.from(found.ignore ?? []).toString() };
    };
    assert.deepEqual(await file("-f", join(setup.context, "build/App.Dockerfile")), {
      text: "FROM app\n",
      ignore: "x\n",
    });
    assert.equal((await file("-f", join(setup.context, "Linked"))).text, "FROM app\n");
    assert.match(
      await setup.fails(["buildx", "build", "-f", join(setup.context, "none"), setup.context]),
      /failed to solve: failed to read dockerfile: open none: no such file or directory/,
    );
  });

  test("secrets, agents and credentials are the client's", async () => {
    await using setup = await setUp();
    writeTree(setup.directory, {
      secret: "hush\0 ☂",
      "config/config.json": JSON.stringify({
        auths: { "r.example:5000": { auth: Buffer.from("me:word").toString("base64") } },
      }),
    });
    symlinkSync(dirname(dockerPlugin()), join(setup.directory, "config/cli-plugins"));
    const agentSocket = join(setup.directory, "agent");
    await using agent = await startAgent(agentSocket);
    const seen: unknown[] = [];
    setup.solver.during = async ({ secret, ssh, credentials }, _progress, signal) => {
      seen.push((await secret?.("one", signal))?.toString(), await secret?.("two", signal));
      seen.push(await credentials?.("r.example:5000"), await credentials?.("s.example"));
      seen.push(await ssh?.("other", signal));
      const connection = await ssh?.("default", signal);
      assert.ok(connection);
      // Asks for the keys: a length, and 11.
      connection.write(Buffer.from([0, 0, 0, 1, 11]));
      let answer = Buffer.alloc(0);
      for await (const piece of connection) {
        answer = Buffer.concat([answer, piece as Buffer]);
        if (answer.length > 4) break;
      }
      seen.push(answer[4]);
    };
    await setup.docker(
      [
        "buildx",
        "build",
        "--secret",
        `id=one,src=${join(setup.directory, "secret")}`,
        "--ssh",
        "default",
        setup.context,
      ],
      { env: { SSH_AUTH_SOCK: agentSocket, DOCKER_CONFIG: join(setup.directory, "config") } },
    );
    assert.equal(agent.pid > 0, true);
    assert.deepEqual(seen, ["hush\0 ☂", undefined, { username: "me", password: "word" }, undefined, undefined, 12]);
  });

  test("a second build sends only what changed, out of twenty thousand files", async (t) => {
    await using setup = await setUp();
    setup.solver.reads = false;
    for (let directory = 0; directory < 100; directory++) {
      mkdirSync(join(setup.context, `d${directory}`));
      for (let file = 0; file < 200; file++) writeFileSync(join(setup.context, `d${directory}/f${file}`), `${file}`);
    }
    const times: number[] = [];
    for (const round of [0, 1, 2]) {
      if (round === 2) writeFileSync(join(setup.context, "d50/f50"), "changed");
      const began = performance.now();
      const output = await setup.docker(["buildx", "build", "--progress", "plain", setup.context]);
      times.push(Math.round(performance.now() - began));
      assert.match(output, /transferring context: /);
    }
    t.diagnostic(`whole builds of 20,000 files: ${times.join(", ")} ms`);
    const contexts = join(setup.directory, "buildkit/contexts");
    const slots = readdirSync(contexts);
    assert.equal(slots.length, 1);
    assert.equal(readFileSync(join(contexts, slots[0] ?? "", "tree/d50/f50"), "utf8"), "changed");
    assert.match(await setup.docker(["buildx", "du"]), /Total:\s+\d/);
    assert.match(await setup.docker(["buildx", "prune", "-f", "--filter", "type=source.local"]), /Total:\s+\d/);
    assert.deepEqual(readdirSync(contexts), []);
  });

  test("two targets of a bake file build on each other", async () => {
    await using setup = await setUp({ "a.txt": "a" });
    writeTree(setup.context, {
      "docker-bake.json": JSON.stringify({
        group: { default: { targets: ["app", "base"] } },
        target: {
          base: { context: setup.context },
          app: {
            context: setup.context,
            "dockerfile-inline": "FROM base\n",
            contexts: { base: "target:base" },
            tags: ["app:1"],
          },
        },
      }),
    });
    await setup.docker(["buildx", "bake", "-f", join(setup.context, "docker-bake.json")], { cwd: setup.context });
    const app = setup.solver.builds.find(({ files }) => files["base/image"] !== undefined);
    assert.match(app?.files["base/image"] ?? "", /^sha256:[0-9a-f]{64}$/);
    assert.deepEqual(app?.request.outputs, [{ kind: "image", names: ["app:1"], push: false, store: true }]);
  });

  test("output and failures are shown with the lines of the file", async () => {
    await using setup = await setUp();
    writeFileSync(join(setup.context, "Dockerfile"), "FROM scratch\nRUN one\nRUN false\n");
    const vertex = `sha256:${"a".repeat(64)}`;
    setup.solver.during = async (_request, progress) => {
      progress({ kind: "vertex", vertex: { digest: vertex, inputs: [], name: "[2/2] RUN false" } });
      progress({ kind: "started", vertex, time: Date.now() });
      progress({ kind: "log", vertex, time: Date.now(), stream: "stderr", data: Buffer.from("it is broken\n") });
      progress({ kind: "failed", vertex, time: Date.now(), error: "exit code: 1" });
      const failure: BuildFailure = {
        file: "Dockerfile",
        lines: [3, 3],
        excerpt: ["FROM scratch", "RUN one", "RUN false"].map((text, line) => ({
          line: line + 1,
          text,
          failed: line === 2,
        })),
        instruction: "RUN false",
        vertex,
      };
      await Promise.resolve();
      throw new BuildError("process false did not complete: exit code: 1", failure);
    };
    const output = await setup.fails(["buildx", "build", "--progress", "plain", setup.context]);
    assert.match(output, /#\d+ \d\.\d+ it is broken/);
    assert.match(output, /> \[2\/2\] RUN false:/);
    assert.match(output, /Dockerfile:3/);
    assert.match(output, /3 \| >>> RUN false/);
    assert.match(output, /ERROR: failed to build: failed to solve: process false did not complete: exit code: 1/);
    const raw = await setup.fails(["buildx", "build", "--progress", "rawjson", setup.context]);
    assert.match(raw, /"error":"exit code: 1"/);
  });

  test("Ctrl-C ends the build at once", async () => {
    await using setup = await setUp();
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const { promise: aborted, resolve: abort } = Promise.withResolvers<void>();
    setup.solver.during = async (_request, _progress, signal) => {
      begin();
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      abort();
      signal.throwIfAborted();
    };
    const client = spawn(dockerProgram() ?? "", ["buildx", "build", setup.context], {
      env: {
        ...process.env,
        DOCKER_HOST: `unix://${setup.socketPath}`,
        DOCKER_CONFIG: dirname(dirname(dockerPlugin())),
      },
      stdio: "ignore",
    });
    const ended = once(client, "exit");
    await begun;
    const began = performance.now();
    client.kill("SIGINT");
    await aborted;
    const [code] = (await ended) as [number];
    assert.equal(code, 130);
    assert.ok(performance.now() - began < 20_000);
    // The copy of the context is free again.
    setup.solver.during = () => Promise.resolve();
    await setup.docker(["buildx", "build", setup.context]);
    assert.equal(readdirSync(join(setup.directory, "buildkit/contexts")).length, 1);
  });

  test("a client that vanishes ends the build", async () => {
    await using setup = await setUp();
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const { promise: aborted, resolve: abort } = Promise.withResolvers<void>();
    setup.solver.during = async (_request, _progress, signal) => {
      begin();
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      abort();
      signal.throwIfAborted();
    };
    const client = spawn(dockerProgram() ?? "", ["buildx", "build", setup.context], {
      env: {
        ...process.env,
        DOCKER_HOST: `unix://${setup.socketPath}`,
        DOCKER_CONFIG: dirname(dirname(dockerPlugin())),
      },
      stdio: "ignore",
      detached: true,
    });
    const ended = once(client, "exit");
    await begun;
    // The client and its plugin.
    process.kill(-(client.pid ?? 0), "SIGKILL");
    await Promise.all([aborted, ended]);
  });

  test("builds are remembered", async () => {
    await using setup = await setUp();
    await setup.docker(["buildx", "build", "-t", "remembered:1", setup.context]);
    setup.solver.during = () => Promise.reject(new FailedPrecondition("not today"));
    await setup.fails(["buildx", "build", setup.context]);
    const list = await setup.docker(["buildx", "history", "ls"]);
    assert.match(list, /Completed/);
    assert.match(list, /Error/);
    assert.match(await setup.docker(["buildx", "history", "logs"]), /load build definition/);
    await setup.docker(["buildx", "history", "rm", "--all"]);
    assert.doesNotMatch(await setup.docker(["buildx", "history", "ls"]), /Completed|Error/);
  });

  test("what is not supported is refused by name", async () => {
    await using setup = await setUp();
    const refusals: readonly (readonly [readonly string[], RegExp])[] = [
      [["--build-arg", "BUILDKIT_SYNTAX=a/b"], /frontend gateway\.v0 is not supported/],
      [["--cache-to", "type=azblob,name=n,account_url=u"], /cache export of type azblob is not supported/],
      [["--cache-to", "type=registry,ref=r/c,mode=most"], /invalid mode 'most' of a cache/],
      [["--cache-to", "type=registry,ref=r/c,speed=1"], /attribute speed of cache export registry is not supported/],
      [["--cache-from", "type=azblob,name=n,account_url=u"], /cache import of type azblob is not supported/],
      [["--output", "type=image,compression=gzip,compression-level=99"], /compression-level: '99'/],
      [["--allow", "device"], /entitlement device is not supported/],
      [["--output", "type=image,compression=estargz"], /compression estargz is not supported/],
      [["--output", "type=image,nonsense=1"], /attribute nonsense of output moby is not supported/],
      [["--sbom=generator=a/b"], /attribute generator of sbom is not supported/],
      [["--attest", "type=provenance,reproducible=true"], /attribute reproducible of provenance is not supported/],
    ];
    for (const [args, words] of refusals)
      assert.match(await setup.fails(["buildx", "build", ...args, setup.context], { cwd: setup.directory }), words);
    assert.deepEqual(setup.solver.builds, []);
  });

  test("the worker is shown", async () => {
    await using setup = await setUp();
    const text = await setup.docker(["buildx", "inspect"]);
    assert.match(text, /Status:\s+running/);
    assert.match(text, /Platforms:\s+linux\/(?:amd64|arm64)/);
    await delay(0);
  });
});

/** The plugin's file in the client's configuration. */
function dockerPlugin(): string {
  const plugins = join(dirname(dirname(dirname(dockerProgram() ?? ""))), "../home/.docker/cli-plugins/docker-buildx");
  return plugins;
}

async function startAgent(socket: string): Promise<AsyncDisposable & { readonly pid: number }> {
  const agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: ["ignore", "pipe", "inherit"] });
  await once(agent.stdout, "data");
  return {
    pid: agent.pid ?? 0,
    [Symbol.asyncDispose]: async () => {
      const ended = once(agent, "exit");
      agent.kill();
      await ended;
    },
  };
}
