import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { runProgram, tempDir } from "@boxship/testkit";
import { openTestBuilder, type TestBuilder } from "../testing/open-builder.ts";
import { gitUrl } from "./git.ts";

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
  const served = new Map<string, { readonly body: Buffer; readonly type: string }>();
  const server = createServer((request, response) => {
    const found = served.get(request.url ?? "");
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

  test("a repository is a context, and a source of ADD", async () => {
    const repository = directory.join("repository");
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
      assert.equal((await builder.build(file)).output, "Dockerfile\nsub\nfrom git\n");
      await assert.rejects(builder.build(file.replace(commit, "0".repeat(40))), /expected checksum to match/);
      await assert.rejects(builder.build(`FROM busybox\nADD ${url}#no-such /r\n`), /git fetch .* failed/);
    } finally {
      if (daemon.pid !== undefined) process.kill(-daemon.pid, "SIGKILL");
      await once(daemon, "close");
    }
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
