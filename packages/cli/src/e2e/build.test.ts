import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import {
  type Boxship,
  dockerCli,
  type Ran,
  type RunOptions,
  runProgram,
  startBoxship,
  startRegistry,
  tempDir,
} from "@boxship/testkit";
import { boxship, onSocket, onTerminal } from "./programs.ts";

/** `boxship build` on a real engine. */
describe("boxship build", () => {
  let engine: Boxship;
  let run: (args: readonly string[], options?: RunOptions) => Promise<Ran>;
  const directory = tempDir("cli-build");
  const ok = async (args: readonly string[], options?: RunOptions): Promise<Ran> => {
    const ran = await run(args, options);
    assert.equal(ran.status, 0, `${args.join(" ")}: ${ran.stderr}`);
    return ran;
  };
  const context = (name: string, files: Readonly<Record<string, string>>): string => {
    const path = directory.join(name);
    mkdirSync(path, { recursive: true });
    for (const [file, content] of Object.entries(files)) writeFileSync(`${path}/${file}`, content);
    return path;
  };

  before(async () => {
    engine = await startBoxship();
    run = onSocket(engine.socketPath);
    await ok(["image", "bootstrap", "busybox"]);
  });
  after(async () => {
    await engine[Symbol.asyncDispose]();
    await directory[Symbol.asyncDispose]();
  });

  test("a directory becomes an image; secrets are given and not kept; what is ignored is not sent", async () => {
    const path = context("image", {
      Containerfile:
        "FROM busybox\nCOPY . /c/\nRUN --mount=type=secret,id=token wc -c < /run/secrets/token > /size\nARG WHO\nRUN echo $WHO > /who\n",
      "a.txt": "a",
      "b.log": "b",
      ".dockerignore": "*.log\n",
    });
    writeFileSync(directory.join("secret"), "12345");
    const { stderr } = await ok([
      ...["build", "-t", "built:1", "--secret", `id=token,src=${directory.join("secret")}`],
      ...["--build-arg", "WHO=me", "--iidfile", directory.join("iid"), "--metadata-file", directory.join("meta"), path],
    ]);
    assert.match(stderr, /#\d+ \[3\/4\] RUN --mount=type=secret/);
    const { stdout } = await ok([
      "run",
      "--rm",
      "--network",
      "none",
      "built:1",
      "sh",
      "-c",
      "ls -a /c; cat /size /who",
    ]);
    assert.deepEqual(stdout.split("\n").slice(2), [".dockerignore", "Containerfile", "a.txt", "5", "me", ""]);
    const id = readFileSync(directory.join("iid"), "utf8");
    const meta = JSON.parse(readFileSync(directory.join("meta"), "utf8")) as Record<string, unknown>;
    assert.equal(meta["containerimage.config.digest"], id);
    assert.equal((await ok(["image", "inspect", "-f", "{{.Id}}", "built:1"])).stdout.trim(), id);
    const again = await ok([
      "build",
      "-q",
      "--secret",
      `id=token,src=${directory.join("secret")}`,
      "--build-arg",
      "WHO=me",
      path,
    ]);
    assert.deepEqual([again.stdout.trim(), again.stderr], [id, ""]);
  });

  test("the files of the last stage become a directory", async () => {
    const path = context("local", { Dockerfile: "FROM scratch\nCOPY a.txt /d/\n", "a.txt": "a" });
    const out = directory.join("out");
    await ok(["build", "-o", out, path]);
    assert.deepEqual(readdirSync(out), ["d"]);
    assert.equal(readFileSync(`${out}/d/a.txt`, "utf8"), "a");
    await ok(["build", "-o", `type=oci,dest=${directory.join("oci.tar")}`, path]);
    const { stdout } = await ok(["load", "-i", directory.join("oci.tar")]);
    assert.match(stdout, /Loaded image/);
  });

  test("an engine that is killed while it sends what was built leaves no half of it", async () => {
    const path = context("half", {
      Dockerfile: "FROM busybox\nRUN head -c 60000000 /dev/urandom > /large\n",
    });
    await ok(["build", "-q", path]);
    const place = directory.join("halves");
    mkdirSync(place);
    writeFileSync(`${place}/tar`, "of an earlier build");
    for (const [flags, begun] of [
      [["-o", `type=tar,dest=${place}/tar`], /^tar\..*tmp$/],
      [["-o", `type=oci,dest=${place}/oci`], /^oci\..*tmp$/],
      [["-o", "type=cacheonly", "--cache-to", `type=local,dest=${place}/cache`], /\.part-/],
    ] as const) {
      const building = run(["build", "-q", ...flags, path]);
      const ended = building.then(() => "ended");
      while (!readdirSync(place, { recursive: true, encoding: "utf8" }).some((file) => begun.test(file))) {
        assert.notEqual(await Promise.race([ended, delay(10)]), "ended", "it was over at once");
      }
      await engine.crash();
      const { status, stderr } = await building;
      assert.notEqual(status, 0);
      assert.match(stderr, /the engine closed the connection before its answer was complete/);
      await engine.start();
    }
    const left = readdirSync(place, { recursive: true, encoding: "utf8" });
    assert.deepEqual(
      left.filter((name) => /tmp$|part-|index\.json|^oci/.test(name)),
      [],
    );
    assert.equal(readFileSync(`${place}/tar`, "utf8"), "of an earlier build");
    // What was built is still known, and comes out whole.
    await ok(["build", "-q", "-o", `type=tar,dest=${place}/tar`, path]);
    assert.match((await runProgram(["tar", "tvf", `${place}/tar`])).stdout, / 60000000 .* large$/m);
  });

  test("--squash joins what the last stage adds, and what was removed is nowhere", async () => {
    const path = context("squash", {
      Dockerfile: "FROM busybox\nCOPY a.txt /gone\nRUN mv /gone /kept && rm /bin/watch\nRUN chown 1:2 /kept\nENV A=1\n",
      "a.txt": "a",
    });
    await ok(["build", "--squash", "-t", "squashed", path]);
    const layers = async (name: string) =>
      (await ok(["image", "inspect", "-f", "{{json .RootFS.Layers}}", name])).stdout.split(",").length;
    assert.equal(await layers("squashed"), (await layers("busybox")) + 1);
    await ok(["save", "-o", directory.join("squashed.tar"), "squashed"]);
    const script = `for l in $(tar -xOf ${directory.join("squashed.tar")} manifest.json | grep -o '[a-z0-9/]*' | grep -E 'sha256/|layer.tar'); do tar -xOf ${directory.join("squashed.tar")} $l | tar -t 2>/dev/null; done; true`;
    const { stdout } = await runProgram(["sh", "-c", script]);
    assert.match(stdout, /^(?:\.\/)?kept$/m);
    assert.doesNotMatch(stdout, /gone/);
    const shown = await ok([
      "run",
      "--rm",
      "--network",
      "none",
      "squashed",
      "sh",
      "-c",
      "stat -c '%u:%g %s' /kept; ls /bin/watch; echo $A",
    ]);
    assert.equal(shown.stdout, "1:2 1\n1\n");
  });

  test("archives are contexts on standard input and are unpacked by ADD, whatever they are compressed with", async () => {
    const path = context("archived", {
      Dockerfile: "FROM busybox\nCOPY a.txt /a\nRUN cat /a\n",
      other: "FROM busybox\nRUN echo the other\n",
      "a.txt": "from an archive\n",
    });
    for (const flag of ["", "z", "j", "J", "--zstd"]) {
      const words = flag.startsWith("--") ? ["-c", flag] : [`-c${flag}`];
      const input = execFileSync("tar", ["-C", path, ...words, "-f", "-", "."]);
      const { stderr } = await ok(["build", "--no-cache", "-"], { input });
      assert.match(stderr, /from an archive/, flag);
      if (flag === "J") assert.match((await ok(["build", "-f", "other", "-"], { input })).stderr, /the other/);
    }
    for (const [flag, name] of [
      ["-cj", "a.tar.bz2"],
      ["-cJ", "a.tar.xz"],
    ] as const) {
      execFileSync("tar", ["-C", path, flag, "-f", `${path}/${name}`, "a.txt"]);
    }
    writeFileSync(`${path}/adds`, "FROM busybox\nADD a.tar.bz2 /b/\nADD a.tar.xz /x/\nRUN cat /b/a.txt /x/a.txt\n");
    const { stderr } = await ok(["build", "-f", `${path}/adds`, path]);
    assert.equal(stderr.match(/ from an archive$/gm)?.length, 2);
    const input = execFileSync("tar", ["-C", path, "-cJ", "-f", "-", "."]);
    const cut = await run(["build", "-"], { input: input.subarray(0, input.length - 40) });
    assert.match(cut.stderr, /the xz stream is truncated/);
    const both = await run(["build", "-f", "-", "-"], { input: "FROM busybox\n" });
    assert.match(both.stderr, /cannot both come from standard input/);
    assert.match(
      (await ok(["build", "-f", "-", path], { input: "FROM busybox\nCOPY a.txt /\nRUN cat a.txt\n" })).stderr,
      /from an archive/,
    );
  });

  test("the environment's SOURCE_DATE_EPOCH limits times, unless an argument does", async () => {
    const path = context("epoch", { Dockerfile: "FROM scratch\nCOPY f /\n", f: "" });
    const created = async (...args: readonly string[]) => {
      const { stdout } = await ok(["build", "-q", ...args, path], { env: { SOURCE_DATE_EPOCH: "1000000000" } });
      return Date.parse((await ok(["image", "inspect", "-f", "{{.Created}}", stdout.trim()])).stdout.trim());
    };
    assert.equal(await created(), Date.UTC(2001, 8, 9, 1, 46, 40));
    assert.equal(await created("--build-arg", "SOURCE_DATE_EPOCH=1"), 1000);
  });

  test("a named context goes before an image of that name", async () => {
    const path = context("with-named", { Dockerfile: "FROM busybox\nCOPY --from=other x.txt /x\nRUN cat /x\n" });
    const other = context("other", { "x.txt": "from the named context" });
    const { stderr } = await ok(["build", "--build-context", `other=${other}`, path]);
    assert.match(stderr, /from the named context/);
  });

  test("a failure shows its lines and has the command's exit code; a shell is opened in what it left", async () => {
    const path = context("failing", { Dockerfile: "FROM busybox\nRUN echo said; echo left > /left; exit 9\n" });
    const failed = await run(["build", path]);
    assert.equal(failed.status, 9);
    assert.match(failed.stderr, /Dockerfile:2\n.*\n +2 \| >>> RUN echo said/);
    const shell = await run(["build", "--on-error", "shell", path], { input: "cat /left\n" });
    assert.deepEqual([shell.status, shell.stdout], [9, "left\n"]);
    assert.doesNotMatch(shell.stderr, /Run it again/);
    // What it says is pasted as it stands.
    const spaced = context("failing again", { "My File": readFileSync(`${path}/Dockerfile`, "utf8") });
    const words = ["build", "--build-arg", "A=it's", "-f", `${spaced}/My File`, spaced];
    const [, line = ""] = /Run it again.*:\n {2}(.*)\n/.exec((await run(words)).stderr) ?? [];
    const pasted = await runProgram(["sh", "-c", line], { input: "cat /left\n" });
    assert.deepEqual([pasted.status, pasted.stdout], [9, "left\n"], pasted.stderr);
    const piped = await run(["build", "-"], { input: "FROM busybox\nRUN exit 3\n" });
    assert.equal(piped.status, 3);
    assert.doesNotMatch(piped.stderr, /Run it again/);
    const secret = `s3cr3t-${process.pid}-${Math.random().toString(36).slice(2)}`;
    writeFileSync(directory.join("told"), secret);
    const leak = "set -x; test -n $T; cat /s; echo $T > /dev/null; exit 4";
    const telling = context("telling", {
      Dockerfile: `FROM busybox\nRUN --mount=type=secret,id=s,target=/s,env=T ${leak}\n`,
    });
    const from = ["--on-error", "shell", "--secret", `id=s,src=${directory.join("told")}`, telling];
    const told = await run(["build", ...from], {
      input: "env; cat /s; ls -A /run/secrets /run 2>&1; grep -r s3cr3t- /s /run /tmp; true\n",
    });
    assert.equal(told.status, 4, told.stderr);
    assert.match(told.stderr, /\*\*\*/);
    assert.ok(!(told.stdout + told.stderr).includes(secret));
    for (const place of [engine.root, engine.runDir, dirname(engine.log)])
      assert.throws(() => execFileSync("grep", ["-rlaF", "--devices=skip", "--exclude-dir=netns", secret, place]), {
        status: 1,
      });
    const wrong = context("wrong", { Dockerfile: "FROM busybox\nRUNN true\n" });
    assert.match(
      (await run(["build", wrong])).stderr,
      /Dockerfile:2: unknown instruction: RUNN\nHint: did you mean RUN\?/,
    );
  });

  test("agents and keys are in reach of a step, and of no other", async () => {
    const key = directory.join("key");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key]);
    const libraries = (await runProgram(["ldd", "/usr/bin/ssh-add"])).stdout.match(/\/\S+/g) ?? [];
    const path = context("ssh", {
      Dockerfile: `FROM busybox\nCOPY root /\nRUN test -z "$SSH_AUTH_SOCK"\nRUN --mount=type=ssh,id=mine ssh-add -l; ls -l $SSH_AUTH_SOCK\nRUN ! test -e /run/buildkit\n`,
      other: "FROM busybox\nCOPY root /\nRUN --mount=type=ssh,required ssh-add -l\n",
    });
    for (const file of ["/usr/bin/ssh-add", ...libraries]) cpSync(realpathSync(file), `${path}/root/${file}`);
    const [, shown = ""] = execFileSync("ssh-keygen", ["-lf", key]).toString().split(" ");
    const { stderr } = await ok(["build", "--ssh", `mine=${key}`, path]);
    assert.ok(stderr.includes(shown), stderr);
    const socket = directory.join("agent");
    const agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: ["ignore", "pipe", "inherit"] });
    try {
      await once(agent.stdout, "data");
      execFileSync("ssh-add", ["-q", key], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
      const words = ["build", "-f", `${path}/other`];
      const plainly = await ok([...words, "--ssh", "default", path], { env: { SSH_AUTH_SOCK: socket } });
      assert.ok(plainly.stderr.includes(shown), plainly.stderr);
      const none = await run([...words, "--no-cache", path]);
      assert.match(none.stderr, /unset ssh forward key default[^]*give an agent with --ssh default/);
    } finally {
      const ended = once(agent, "exit");
      agent.kill();
      await ended;
    }
    for (const [value, words] of [
      ["default", /SSH_AUTH_SOCK is not set/],
      [`a=${directory.join("nothing")}`, /cannot read .*nothing: ENOENT/],
      [`a=${key}.pub`, /it is no private key/],
    ] as const) {
      assert.match((await run(["build", "--ssh", value, path], { env: { SSH_AUTH_SOCK: "" } })).stderr, words);
    }
  });

  test("results go to registries, archives and the engine, as the output says", async () => {
    await using registry = await startRegistry();
    const path = context("outputs", { Dockerfile: "FROM busybox\nRUN echo made > /made\nCMD cat /made\n" });
    const made = async (image: string) => (await ok(["run", "--rm", "--network", "none", image])).stdout;
    const name = `${registry.host}/made`;
    await ok(["build", "-t", `${name}:1`, "-o", "type=registry", path]);
    await ok(["build", "-o", `type=image,name=${name}:2,push=true`, path]);
    for (const tag of ["1", "2"]) {
      await ok(["rmi", "-f", `${name}:${tag}`]);
      assert.equal(await made(`${name}:${tag}`), "made\n", "it is pulled");
    }
    await ok(["build", "-t", "stored:1", "-o", "type=image", path]);
    assert.equal(await made("stored:1"), "made\n");
    const [archive, files] = [directory.join("docker.tar"), directory.join("files.tar")];
    await ok(["build", "-t", "loaded:1", "-o", `type=docker,dest=${archive}`, path]);
    assert.match((await ok(["load", "-i", archive])).stdout, /loaded:1/);
    assert.equal(await made("loaded:1"), "made\n");
    await ok(["build", "-t", "docker:1", "-o", "type=docker", path]);
    assert.equal(await made("docker:1"), "made\n");
    await ok(["build", "-o", `type=tar,dest=${files}`, path]);
    assert.equal(execFileSync("tar", ["-xOf", files, "made"]).toString(), "made\n");
    execFileSync("sh", [
      "-c",
      `${[...boxship, "--host", `unix://${engine.socketPath}`].join(" ")} build -q -o - "$1" | tar -tf - | grep -qx made`,
      "sh",
      path,
    ]);
    assert.match((await run(["build", "-o", "type=image,push=true", path])).stderr, /tag is needed when pushing/);
  });

  test("an engine that is killed while it pushes leaves no name; the next push is whole", async () => {
    await using registry = await startRegistry();
    const path = context("cut-push", { Dockerfile: "FROM busybox\nRUN head -c 3000000 /dev/urandom > /large\n" });
    // Between them, uploads are held until the engine is dead.
    let isHeld = true;
    const held = Promise.withResolvers<void>();
    const between = createServer((asked, answer) => {
      if (isHeld && (asked.method === "PATCH" || asked.method === "PUT")) {
        asked.once("data", () => {
          asked.pause();
          held.resolve();
        });
        return;
      }
      const { method = "GET", headers, url = "/" } = asked;
      const on = request({ host: "127.0.0.1", port: registry.port, method, path: url, headers }, (found) => {
        answer.writeHead(found.statusCode ?? 500, found.headers);
        found.pipe(answer);
      });
      on.once("error", () => answer.destroy());
      asked.pipe(on);
    });
    between.listen(0, "127.0.0.1");
    await once(between, "listening");
    const name = `127.0.0.1:${(between.address() as AddressInfo).port}/cut/push:1`;
    const docker = dockerCli(engine.socketPath);
    const hasBuildx = docker !== undefined && (await docker(["buildx", "version"])).status === 0;
    const push = async () =>
      hasBuildx ? docker(["buildx", "build", "--push", "-t", name, path]) : run(["build", "--push", "-t", name, path]);
    try {
      const cut = push();
      await Promise.race([held.promise, cut]);
      await engine.crash();
      assert.notEqual((await cut).status, 0);
      const tags = await fetch(`${registry.url}/v2/cut/push/tags/list`);
      assert.equal(tags.status, 404, await tags.text());
      isHeld = false;
      await engine.start();
      const again = await push();
      assert.equal(again.status, 0, again.stderr);
      await ok(["rmi", "-f", name]);
      const { stdout } = await ok(["run", "--rm", "--network", "none", name, "wc", "-c", "/large"]);
      assert.equal(stdout, "3000000 /large\n");
    } finally {
      between.closeAllConnections();
      between.close();
    }
  });

  test("a Containerfile on standard input goes with a context at an address", async () => {
    const path = context("remote", { "a.txt": "from far\n", Dockerfile: "FROM busybox\nRUN exit 1\n" });
    const archive = execFileSync("tar", ["-C", path, "-czf", "-", "."]);
    const server = createServer((_request, response) => response.end(archive));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/context.tar.gz`;
      const input = "FROM busybox\nCOPY a.txt /\nRUN cat a.txt\n";
      assert.match((await ok(["build", "-f", "-", address], { input })).stderr, /from far/);
      assert.equal((await run(["build", address])).status, 1, "its own file is another");
    } finally {
      server.close();
    }
  });

  test("progress is a live tree on a terminal, and events on request", async () => {
    const path = context("progress", {
      Dockerfile:
        "FROM busybox AS a\nRUN echo one; sleep 1; echo two\nFROM busybox\nCOPY --from=a /bin/sh /copied\nRUN echo three\n",
    });
    const { stderr } = await ok(["build", "--no-cache", "--progress", "rawjson", path]);
    const events = stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
    const kinds = new Set(events.map(({ kind }) => kind));
    for (const kind of ["vertex", "started", "log", "completed"]) assert.ok(kinds.has(kind), kind);
    const logs = events.flatMap(({ kind, data }) =>
      kind === "log" ? [Buffer.from(String(data), "base64").toString()] : [],
    );
    assert.deepEqual(logs.join(""), "one\ntwo\nthree\n");
    const terminal = onTerminal([...boxship, "--host", `unix://${engine.socketPath}`, "build", "--no-cache", path]);
    const { status, output } = await terminal.end();
    assert.equal(status, 0, output);
    assert.match(output, /\[\+\] Building \d+\.\ds \(\d+\/\d+\)/);
    // Lines are drawn anew in their place; the running command's output is below it.
    assert.match(output.replaceAll("\u001b", "ESC"), /ESC\[\d+A[^]*ESC\[J/);
    assert.match(output, /RUN echo one; sleep 1[^]*one/);
    const last = output.slice(output.lastIndexOf("[+] Building"));
    assert.match(last, /RUN echo three/);
    assert.ok(!(await ok(["build", "--progress", "plain", path])).stderr.includes("\u001b"));
  });

  test("the cache is listed and pruned", async () => {
    const path = context("cached", { Dockerfile: "FROM busybox\nRUN echo cached > /cached\n" });
    await ok(["build", path]);
    assert.match((await ok(["builder", "du"])).stdout, /regular +RUN echo cached/);
    assert.match((await ok(["builder", "prune", "--all", "--force"])).stdout, /Total reclaimed space: /);
    assert.doesNotMatch((await ok(["builder", "du"])).stdout, /RUN echo cached/);
  });

  test("caches go to a directory and come back; layers are compressed as it is asked for", async () => {
    const path = context("caches", {
      Containerfile:
        "FROM busybox AS one\nRUN date > /more; echo x > /x\nFROM busybox\nCOPY --from=one /x /\nCOPY f /\n",
      f: "1",
    });
    const cache = directory.join("cache");
    await ok(["build", "--cache-to", `type=local,dest=${cache},mode=max`, "--cache-to", "type=inline", path]);
    const blobs = readdirSync(`${cache}/blobs/sha256`);
    await ok(["build", "--cache-to", `type=local,dest=${cache},mode=max`, path]);
    assert.deepEqual(readdirSync(`${cache}/blobs/sha256`).toSorted(), blobs.toSorted());
    await ok(["builder", "prune", "-af"]);
    const { stderr } = await ok(["build", "--progress", "plain", "--cache-from", `type=local,src=${cache}`, path]);
    assert.equal(stderr.match(/^#\d+ CACHED$/gm)?.length, 5, stderr);
    await ok(["builder", "prune", "-af"]);
    const missing = await ok(["build", "--cache-from", `type=local,src=${directory.join("nowhere")}`, path]);
    assert.match(missing.stderr, /WARNING: cache .*nowhere is not used: there is no cache/);
    await ok(["build", "-o", `type=oci,dest=${directory.join("zstd.tar")},compression=zstd,compression-level=9`, path]);
    assert.match(readFileSync(directory.join("zstd.tar"), "latin1"), /image\.layer\.v1\.tar\+zstd/);
    for (const [args, words] of [
      [["--cache-to", "type=s3"], /type s3 is not supported/],
      [["--cache-to", "type=local"], /dest is required/],
      [["--cache-from", "type=registry,reference=x"], /unknown field reference/],
      [["--output", "type=image,compression=best"], /compression is uncompressed, gzip or zstd/],
    ] as const) {
      const ran = await run(["build", ...args, path]);
      assert.equal(ran.status, 1);
      assert.match(ran.stderr, words);
    }
  });

  test("files are checked, and wrong words end, as with buildx", async (t) => {
    const docker = dockerCli(engine.socketPath);
    if (docker === undefined || (await docker(["buildx", "version"])).status !== 0) return t.skip("buildx is not here");
    const file =
      "FROM busybox as base\n# all of it\nFROM base AS all\nARG A=1\nRUN --mount=type=secret,id=s true\nCMD run $A\n";
    const path = context("checked", { Dockerfile: file });
    const wrong = context("wrong", { Dockerfile: `${file}RUM\n` });
    const clean = context("clean", { Dockerfile: "FROM scratch\nCOPY . /\n" });
    for (const args of [
      ["--check", path],
      ["--call=check,ignorestatus=true", path],
      ["--call=lint,format=json", path],
      ["--call=outline", path],
      ["--call=outline,format=json", "--target", "base", path],
      ["--call=targets", path],
      ["--call=subrequests.describe", path],
      ["--check", clean],
      ["--check", wrong],
      ["--call=nonsense", path],
      ["--call=check,nonsense=1", path],
      ["--badflag", path],
      ["--progress", "nonsense", path],
      ["--secret", "nonsense=1", path],
      ["--output", "type=nonsense", path],
      ["--add-host", "nowhere", path],
      ["--annotation", "nothing", path],
      ["--allow", "nonsense", path],
      ["--push", path],
      [],
    ]) {
      const asked: readonly Promise<Ran>[] = [run(["build", ...args]), docker(["buildx", "build", ...args])];
      const [ours, theirs] = await Promise.all(asked);
      assert.ok(ours && theirs);
      assert.equal(ours.status, theirs.status, `${args.join(" ")}: ${ours.stderr}\n${theirs.stderr}`);
      assert.equal(ours.stdout, theirs.stdout.replaceAll(`${args.at(-1)}/Dockerfile`, "Dockerfile"), args.join(" "));
    }
    const { stderr } = await ok(["build", "--target", "base", path]);
    assert.match(stderr, /^ 1 warning found .*:\n - FromAsCasing: .* \(line 1\)$/m);
    assert.match((await run(["build", "--check", wrong])).stderr, /on line 7: unknown instruction: RUM/);
  });

  test("images of several platforms, with statements of how they were built, as an archive", async () => {
    const path = context("platforms", { Containerfile: "FROM scratch\nARG TARGETARCH\nCOPY f /$TARGETARCH\n", f: "1" });
    const archive = directory.join("platforms.tar");
    const platforms = ["--platform", "linux/amd64,linux/arm64", "--provenance", "mode=max,version=v1"];
    const annotations = ["--annotation", "of=manifest", "--annotation", "index:of=index"];
    await ok(["build", ...platforms, ...annotations, "-t", "several:1", "-o", `type=oci,dest=${archive}`, path]);
    const text = readFileSync(archive, "latin1");
    assert.equal(text.match(/"annotations":\{"of":"manifest"\}/g)?.length, 2);
    assert.equal(text.match(/"annotations":\{"of":"index"\}/g)?.length, 1);
    assert.match(text, /"predicateType":"https:\/\/slsa\.dev\/provenance\/v1"/);
    assert.equal(text.match(/attestation-manifest/g)?.length, 2);
    await ok(["load", "-i", archive]);
    assert.match(
      (await ok(["image", "inspect", "several:1", "-f", "{{.Architecture}}"])).stdout,
      /^(?:amd64|arm64)\n$/,
    );
    for (const [args, words] of [
      [["--annotation", "index:a=b"], /index annotations not supported for single platform export/],
      [["--push"], /tag is needed when pushing to registry/],
      [["--tag", "BAD:x", "--build-arg", "never=built"], /^(?!.*\[1\/)[^]*repository name .* must be lowercase/],
      [["--attest", "type=other"], /attestation of type other is not supported/],
      [["--sbom", "generator=a/b"], /unknown field generator/],
      [["--sbom", "true", "-o", directory.join("l")], /output of type tar has no bill of materials/],
      [["--sbom", "true", "--build-arg", "BUILDKIT_SBOM_SCAN_STAGE=1"], /only images are described/],
    ] as const) {
      assert.match((await run(["build", ...args, path])).stderr, words);
    }
    mkdirSync(`${path}/node_modules/left-pad`, { recursive: true });
    writeFileSync(`${path}/node_modules/left-pad/package.json`, '{"name":"left-pad","version":"1.3.0"}');
    writeFileSync(`${path}/Containerfile`, "FROM scratch\nCOPY node_modules /node_modules\n");
    await ok(["build", "--sbom", "true", "-t", "billed:1", "-o", `type=oci,dest=${archive}`, path]);
    const billed = readFileSync(archive, "latin1");
    assert.match(billed, /"predicateType":"https:\/\/spdx\.dev\/Document".*"spdxVersion":"SPDX-2\.3"/);
    assert.match(billed, /pkg:npm\/left-pad@1\.3\.0/);
    assert.match((await run(["build", ...platforms, "-o", directory.join("l"), path])).stderr, /several platforms/);
  });

  test("cache mounts are listed, leave as archives and come back, owners and all", async () => {
    const file = (command: string) =>
      `FROM busybox\nRUN --mount=type=cache,id=deps,target=/c,uid=7,mode=0750 ${command}\n`;
    await ok([
      "build",
      context("fill", { Containerfile: file("echo kept > /c/file && chmod 640 /c/file && chown 7:8 /c/file") }),
    ]);
    const { stdout } = await ok(["builder", "cache", "ls"]);
    assert.match(stdout, /^ID +SIZE +IN USE +USES +LAST USED\ndeps +\S+ +false +1 +\d{4}-/m);
    const archive = directory.join("deps.tar");
    await ok(["builder", "cache", "export", "-o", archive, "deps"]);
    await ok(["builder", "prune", "-f", "--filter", "type=exec.cachemount"]);
    assert.equal((await ok(["builder", "cache", "ls", "-q"])).stdout, "");
    assert.match((await run(["builder", "cache", "export", "deps"])).stderr, /there is no cache mount deps/);
    await ok(["builder", "cache", "import", "deps", archive]);
    writeFileSync(directory.join("broken.tar"), Buffer.alloc(700, 1));
    assert.notEqual((await run(["builder", "cache", "import", "deps", directory.join("broken.tar")])).status, 0);
    const used = await ok([
      "build",
      "--progress",
      "plain",
      context("use", { Containerfile: file("stat -c '%u:%g %a %n' /c /c/file && cat /c/file") }),
    ]);
    assert.match(used.stderr, /7:0 750 \/c\n[^]*7:8 640 \/c\/file\n[^]*kept/);
  });
});
