import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { makeTar, runProgram, tempDir } from "@boxship/testkit";
import { openTestBuilder, type TestBuilder } from "../testing/open-builder.ts";
import { serveGit } from "../testing/serve-git.ts";
import { gitUrl } from "./git.ts";

const USER = "someone";
/** Found nowhere afterwards. */
const PASSWORD = `p4ss-${process.pid}-${Math.random().toString(36).slice(2)}`;
const BASIC = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString("base64")}`;

test("addresses of repositories are told from others", () => {
  const parts = (text: string) => Object.values(gitUrl(text) ?? {});
  assert.deepEqual(parts("https://h/r.git#v1:sub"), ["https://h/r.git", "v1", "sub"]);
  assert.deepEqual(parts("git@h:o/r#main"), ["git@h:o/r", "main", ""]);
  assert.deepEqual(parts("github.com/o/r"), ["https://github.com/o/r", "", ""]);
  assert.equal(gitUrl("https://h/file.tar"), undefined);
  assert.equal(gitUrl("dir/a.git"), undefined);
});

describe("sources elsewhere", () => {
  let builder: TestBuilder;
  const directory = tempDir("build-sources");
  const served = new Map<string, { readonly body: Buffer; readonly type: string; readonly guarded?: boolean }>();
  const redirects = new Map<string, string>();
  const server = createServer((request, response) => {
    const { url = "" } = request;
    const found = served.get(url);
    const isGit = url.startsWith("/git/");
    const location = redirects.get(url);
    if (location !== undefined) {
      response.writeHead(302, { Location: location }).end();
      return;
    }
    if ((found?.guarded === true || isGit) && request.headers.authorization !== BASIC) {
      response.writeHead(401, { "WWW-Authenticate": "Basic realm=x" }).end();
      return;
    }
    if (isGit) {
      request.url = url.slice("/git".length);
      void serveGit(directory.path, request, response);
      return;
    }
    const headers = { "Last-Modified": "Wed, 01 Jan 2020 00:00:00 GMT", "Content-Type": found?.type ?? "text/plain" };
    response.writeHead(found === undefined ? 404 : 200, headers).end(found?.body);
  });
  let http: string;

  before(async () => {
    builder = await openTestBuilder();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    http = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    mkdirSync(directory.join("repository/sub"), { recursive: true });
    writeFileSync(directory.join("repository/Dockerfile"), "FROM busybox\nCOPY . /c\nRUN ls -A /c\n");
    writeFileSync(directory.join("repository/sub/Dockerfile"), "FROM busybox\nCOPY f /f\nRUN cat /f\n");
    writeFileSync(directory.join("repository/sub/f"), "from git\n");
  });
  after(async () => {
    server.close();
    await builder[Symbol.asyncDispose]();
    await directory[Symbol.asyncDispose]();
  });

  test("what stands in the Containerfile's place and gives bytes without end is none", async () => {
    const context = await builder.context();
    for (const [name, type, numbers] of [
      ["Dockerfile", "c", ["1", "5"]],
      [".dockerignore", "p", []],
    ] as const) {
      const made = await runProgram(["mknod", join(context, name), type, ...numbers]);
      assert.equal(made.status, 0, made.stderr);
    }
    const source = { kind: "directory", path: context } as const;
    await assert.rejects(
      builder.builder.build({ file: { kind: "context" }, context: source }, () => {}),
      /Cannot locate/,
    );
    const large = await builder.context({ Dockerfile: Buffer.alloc((4 << 20) + 1, "\n") });
    const build = builder.builder.build({ file: { kind: "context" }, context: { ...source, path: large } }, () => {});
    await assert.rejects(build, /Dockerfile is larger than/);
  });

  test("ADD fetches a file, with its time, and checks it", async () => {
    const body = Buffer.from("fetched");
    served.set("/f.txt", { body, type: "text/plain" });
    const sum = createHash("sha256").update(body).digest("hex");
    const file = `FROM busybox\nADD --checksum=sha256:${sum} ${http}/f.txt /d/\nRUN stat -c '%a %Y' /d/f.txt; cat /d/f.txt\n`;
    assert.equal((await builder.build(file)).output, "600 1577836800\nfetched");
    assert.deepEqual((await builder.build(file)).done, []);
    const wrong = file.replace(sum, "0".repeat(64));
    await assert.rejects(builder.build(wrong), /digest mismatch/);
    await assert.rejects(builder.build(`FROM busybox\nADD ${http}/none /x\n`), /answered 404/);
  });

  test("ADD of what is no tar, compressed or not, is a copy; of a broken one a failure", async () => {
    const tar = makeTar([
      { name: "a", content: "one" },
      { name: "b", content: "two" },
    ]);
    const copied = {
      "dump.gz": gzipSync("no archive at all"),
      "empty.gz": gzipSync(""),
      "zeros.zst": zstdCompressSync(Buffer.alloc(100_000)),
      "x.xz": Buffer.from(`fd377a585a00${"ff".repeat(100)}`, "hex"),
      "x.bz2": Buffer.from(`425a6839${"ff".repeat(100)}`, "hex"),
      "checksum.tar": Buffer.concat([tar.subarray(0, 300), Buffer.alloc(300, 0xff), tar.subarray(600)]),
    };
    const names = Object.keys(copied);
    const context = await builder.context({
      ...copied,
      "cut.tgz": gzipSync(tar).subarray(0, -12),
      "cut.tar": tar.subarray(0, 700),
    });
    const { output } = await builder.build(`FROM busybox\nADD ${names.join(" ")} /in/\nRUN cd /in && sha256sum *\n`, {
      context,
    });
    const wanted = names.map((name) => {
      const bytes = copied[name as keyof typeof copied];
      return `${createHash("sha256").update(bytes).digest("hex")}  ${name}\n`;
    });
    assert.deepEqual(output.split(/(?<=\n)/).toSorted(), wanted.toSorted());
    for (const name of ["cut.tgz", "cut.tar"]) {
      await assert.rejects(builder.build(`FROM busybox\nADD ${name} /in/\n`, { context }), /truncated/);
    }
  });

  test("ADD unpacks an archive of the context, and with --unpack one that was fetched", async () => {
    await runProgram(["tar", "-C", directory.join("repository"), "-czf", directory.join("a.tgz"), "sub"]);
    const archive = readFileSync(directory.join("a.tgz"));
    served.set("/a.tgz", { body: archive, type: "application/gzip" });
    const context = await builder.context({ "a.tgz": archive });
    const file = `FROM busybox\nADD a.tgz /one\nADD --unpack=false a.tgz /two/\nADD --unpack ${http}/a.tgz /three\nADD ${http}/a.tgz /four/\nRUN cat /one/sub/f /three/sub/f; ls /two /four\n`;
    const { output } = await builder.build(file, { context });
    assert.equal(output, "from git\nfrom git\n/four:\na.tgz\n\n/two:\na.tgz\n");
  });

  test("an address is a context: an archive, or a Containerfile alone", async () => {
    await runProgram(["tar", "-C", directory.join("repository/sub"), "-cf", directory.join("c.tar"), "."]);
    served.set("/c.tar", { body: readFileSync(directory.join("c.tar")), type: "application/x-tar" });
    served.set("/file", { body: Buffer.from("FROM busybox\nRUN echo alone\n"), type: "text/plain" });
    const build = async (url: string) => {
      let output = "";
      await builder.builder.build({ file: { kind: "context" }, context: { kind: "http", url } }, (event) => {
        if (event.kind === "log") output += event.data.toString();
      });
      return output;
    };
    assert.equal(await build(`${http}/c.tar`), "from git\n");
    assert.equal(await build(`${http}/file`), "alone\n");
  });

  test("a download's name leads nowhere else, whatever the address says", async () => {
    const out = `${"..%2F".repeat(12)}${directory.path.slice(1).replaceAll("/", "%2F")}`;
    for (const path of [`/${out}%2Fwritten`, "/%zz", "/..%2F", "/x%2F..", "/a%00b"]) {
      served.set(path, { body: Buffer.from("climbs"), type: "text/plain" });
      const added = builder.build(`FROM busybox\nADD ${http}${path} /d/\nRUN ls -A /d\n`);
      if (path === `/${out}%2Fwritten`) assert.equal((await added).output, "written\n");
      else if (path === "/%zz") assert.equal((await added).output, "%zz\n");
      else await assert.rejects(added, /cannot determine filename from url/);
    }
    assert.equal(existsSync(directory.join("written")), false);
    await assert.rejects(builder.build("FROM busybox\nADD http://[x /d\n"), /no http or https address/);
  });

  test("addresses lead to http alone; their credentials are used, and kept nowhere", async () => {
    const tried = ["file:///etc/passwd", "ftp://127.0.0.1/x", "//", "gopher://x", "https://127.0.0.1:1/x"];
    for (const [index, location] of tried.entries()) redirects.set(`/to${index}`, location);
    for (const index of tried.keys())
      await assert.rejects(
        builder.build(`FROM busybox\nADD ${http}/to${index} /d/f\n`),
        index === 4 ? /cannot be fetched/ : /no http or https address|cannot be fetched/,
      );
    served.set("/guarded", { body: Buffer.from("for one who knows"), type: "text/plain", guarded: true });
    const guarded = `${http.replace("//", `//${USER}:${PASSWORD}@`)}/guarded`;
    const built = await builder.build(`FROM busybox\nADD ${guarded} /f\nRUN cat /f\n`, { history: "buildkit" });
    assert.equal(built.output, "for one who knows");
    const { config } = builder.engine.parts.images.store.resolve(built.imageId);
    const told = JSON.stringify([config, built.events, await builder.builder.cache.list()]);
    assert.match(told, /ADD http:\/\/xxxxx:xxxxx@127/);
    const wrong = `FROM busybox\nADD ${guarded.replace("/guarded", "/none")} /f\n`;
    const failure = await builder.build(wrong).catch((error: unknown) => error);
    assert.match(String(failure), /answered 404/);
    const { cause, ...rest } = failure as Error;
    assert.ok(!(told + String(failure) + String(cause) + JSON.stringify(rest)).includes(PASSWORD));
    const found = await runProgram(["grep", "-rlaF", "--devices=skip", PASSWORD, builder.root]);
    assert.equal(found.stdout, "");
  });

  test("a repository is a context, and a source of ADD; nothing in it is git's configuration", async () => {
    const repository = directory.join("repository");
    const owned = directory.join("owned");
    writeFileSync(join(repository, ".gitconfig"), `[core]\n\tfsmonitor = "touch ${owned}; false"\n`);
    writeFileSync(join(repository, ".gitmodules"), '[submodule "s"]\n\tpath = s\n\turl = ./s\n');
    const git = async (...args: readonly string[]) => {
      const own = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"];
      const { status, stdout, stderr } = await runProgram(["git", "-C", repository, ...own, ...args]);
      assert.equal(status, 0, stderr);
      return stdout.trim();
    };
    await git("init", "-q");
    await git("add", ".");
    await git("commit", "-qm", "one");
    const commit = await git("rev-parse", "HEAD");
    const port = await freePort();
    const flags = [
      "--reuseaddr",
      "--listen=127.0.0.1",
      `--port=${port}`,
      "--export-all",
      `--base-path=${directory.path}`,
    ];
    const daemon = spawn("git", ["daemon", ...flags, directory.path], { stdio: "ignore", detached: true });
    try {
      await answering(port);
      const url = `git://127.0.0.1:${port}/repository`;
      let output = "";
      const context = { kind: "git", url: `${url}#main:sub` } as const;
      await builder.builder.build({ file: { kind: "context" }, context, noCache: true }, (event) => {
        if (event.kind === "log") output += event.data.toString();
      });
      assert.equal(output, "from git\n");
      const file = `FROM busybox\nADD --checksum=${commit} ${url} /r\nRUN ls -A /r; cat /r/sub/f\n`;
      assert.equal((await builder.build(file)).output, ".gitconfig\n.gitmodules\nDockerfile\nsub\nfrom git\n");
      assert.equal(existsSync(owned), false);
      await assert.rejects(builder.build(file.replace(commit, "0".repeat(40))), /expected checksum to match/);
      await assert.rejects(builder.build(`FROM busybox\nADD ${url}#no-such /r\n`), /git fetch .* failed/);
    } finally {
      if (daemon.pid !== undefined) process.kill(-daemon.pid, "SIGKILL");
      await once(daemon, "close");
    }
    const guarded = `${http.replace("//", `//${USER}:${PASSWORD}@`)}/git/repository/.git`;
    const context = { kind: "git", url: `${guarded}#main`, keepGitDirectory: true } as const;
    const events: unknown[] = [];
    const provenance = { mode: "max" } as const;
    const archive: Uint8Array[] = [];
    const result = await builder.builder.build(
      {
        file: { kind: "bytes", name: "f", bytes: Buffer.from("FROM busybox\nCOPY . /r\nRUN cat /r/.git/config\n") },
        context,
        history: "buildkit",
        attestations: { provenance },
        outputs: [
          {
            kind: "oci",
            names: [],
            write: async (bytes) => void archive.push(...(await Array.fromAsync(bytes))),
          },
        ],
      },
      (event) => void events.push(event.kind === "log" ? event.data.toString() : event),
    );
    const told = JSON.stringify([events, result]) + Buffer.concat(archive).toString("latin1");
    assert.match(told, /url = http:\/\/xxxxx:xxxxx@127/);
    assert.match(told, /"configSource":\{"uri":"http:\/\/xxxxx:xxxxx@127/);
    const wrong = { ...context, url: guarded.replace("repository", "none") };
    const failure = builder.builder.build({ file: { kind: "context" }, context: wrong }, () => {});
    const said = await failure.then(String, (error: unknown) => String(error) + JSON.stringify(error));
    assert.match(said, /git fetch of http:\/\/xxxxx:xxxxx@127[^]* failed/);
    assert.ok(!(told + said).includes(PASSWORD));
    const found = await runProgram(["grep", "-rlaF", "--devices=skip", PASSWORD, builder.root]);
    assert.equal(found.stdout, "");
  });
});

async function freePort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function answering(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const socket = connect(port, "127.0.0.1");
    const ok = await Promise.race([
      once(socket, "connect").then(() => true),
      once(socket, "error").then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (ok) return;
    await delay(25);
  }
  throw new Error("git daemon does not answer");
}
