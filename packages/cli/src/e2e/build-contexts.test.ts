import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  type Boxship,
  dockerCli,
  OLD_DOCKER,
  type Ran,
  type RunOptions,
  runProgram,
  startBoxship,
  tempDir,
} from "@boxship/testkit";
import { onSocket } from "./programs.ts";

/** Files of the large context; 200,000 in `npm run soak`. */
const FILES = Number(process.env["BOXSHIP_TEST_FILES"] ?? "2000");

const LIST =
  "cd /c; find . -exec stat -c '%n %F %a %u:%g %t:%T' {} + | sort; find . -type l -exec readlink -n {} ';' -exec echo ' {}' ';' | sort; find . -type f -exec md5sum {} + | sort; find . ! -name socket | sort | md5sum";

/** How a context comes to the builder. */
type Door = (directory: string, tag: string, ...flags: readonly string[]) => Promise<Ran>;

describe("contexts through every door", () => {
  const work = tempDir("build-contexts");
  let engine: Boxship;
  let boxship: (args: readonly string[], options?: RunOptions) => Promise<Ran>;
  let doors: Readonly<Record<string, Door>>;

  before(async () => {
    engine = await startBoxship();
    await engine.client.call("POST", "/boxship/images/bootstrap?kind=busybox");
    boxship = onSocket(engine.socketPath);
    const env = { DOCKER_HOST: `unix://${engine.socketPath}`, DOCKER_BUILDKIT: "0" };
    const current = dockerCli(engine.socketPath);
    const archive = work.join("context.tar");
    const packed = (directory: string) =>
      execFileSync("tar", ["-C", directory, "-cf", archive, "."], { stdio: "pipe" });
    const timeout = 590_000;
    doors = {
      "Docker 20.10": (directory, tag, ...flags) =>
        runProgram([OLD_DOCKER, "build", "-q", "-t", tag, ...flags, directory], { env, timeout }),
      "an archive over HTTP": async (directory, tag) => {
        packed(directory);
        const type = "content-type: application/x-tar";
        const url = `http://engine/build?q=1&t=${tag}`;
        return runProgram(
          ["curl", "-sf", "--unix-socket", engine.socketPath, "-H", type, "-T", archive, "-X", "POST", url],
          { timeout },
        );
      },
      ...(current === undefined
        ? {}
        : {
            buildx: (directory, tag, ...flags) =>
              current(["buildx", "build", "-q", "-t", tag, ...flags, directory], { timeout }),
          }),
      "boxship build": (directory, tag, ...flags) =>
        boxship(["build", "-q", "-t", tag, ...flags, directory], { timeout }),
      "boxship build -": async (directory, tag, ...flags) => {
        packed(directory);
        return boxship(["build", "-q", "-t", tag, ...flags, "-"], { input: readFileSync(archive), timeout });
      },
    };
  });
  after(async () => {
    await engine[Symbol.asyncDispose]();
    await work[Symbol.asyncDispose]();
  });

  test("devices, queues, sockets, links that dangle or lead out, and odd names", async () => {
    const directory = work.join("odd");
    mkdirSync(join(directory, "d/empty"), { recursive: true });
    writeFileSync(work.join("outside"), "kept outside");
    const links: Readonly<Record<string, string>> = {
      dangling: "nowhere",
      absolute: work.join("outside"),
      relative: "../outside",
      root: "/",
      circle: "circle",
      "d/up": "..",
      "to-file": "d/f",
    };
    for (const [name, target] of Object.entries(links)) symlinkSync(target, join(directory, name));
    for (const name of ["d/f", "d/with blank", "d/größe €", "d/new\nline", `d/${"long".repeat(60)}`, "d/-rf", "d/*"])
      writeFileSync(join(directory, name), name);
    linkSync(join(directory, "d/f"), join(directory, "d/again"));
    // Names are bytes.
    writeFileSync(Buffer.concat([Buffer.from(join(directory, "d/bytes-")), Buffer.from([0xff, 0xfe])]), "bytes");
    symlinkSync(Buffer.from([0xfd]), join(directory, "d/to-bytes"));
    for (const [name, ...node] of [
      ["null", "c", "1", "3"],
      ["disk", "b", "7", "200"],
      ["queue", "p"],
    ] as const)
      execFileSync("mknod", [join(directory, name), ...node]);
    execFileSync("chmod", ["4755", join(directory, "d/again")]);
    execFileSync("chmod", ["000", join(directory, "d/with blank")]);
    writeFileSync(join(directory, "Dockerfile"), "FROM busybox\nCOPY . /c/\n");
    writeFileSync(join(directory, "Link.Dockerfile"), "FROM busybox\nCOPY absolute /c/\n");
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(directory, "socket"), resolve));
    try {
      const seen: Record<string, string> = {};
      for (const [name, build] of Object.entries(doors)) {
        const { status, stderr } = await build(directory, "odd:1");
        assert.equal(status, 0, `${name}: ${stderr}`);
        const ran = await boxship(["run", "--rm", "--network", "none", "odd:1", "sh", "-c", LIST]);
        assert.equal(ran.status, 0, ran.stderr);
        seen[name] = ran.stdout;
      }
      const first = seen["Docker 20.10"] ?? "";
      // buildx itself makes an empty file of a socket, with every builder.
      const lines = (list = "") => list.split("\n").filter((line) => !line.includes("./socket"));
      for (const [name, list] of Object.entries(seen)) assert.deepEqual(lines(list), lines(first), name);
      assert.match(first, /^\.\/null character special file 644 0:0 1:3$/m);
      assert.match(first, /^\.\/queue fifo/m);
      assert.match(first, /^\.\.\/outside \.\/relative$/m);
      assert.doesNotMatch(first, /socket|kept/);
      for (const name of ["Docker 20.10", "buildx", "boxship build", "boxship build -"]) {
        const file = name === "boxship build -" ? "Link.Dockerfile" : join(directory, "Link.Dockerfile");
        const ran = await doors[name]?.(directory, "out:1", "-f", file);
        assert.notEqual(ran?.status ?? 1, 0, name);
        assert.match(ran?.stderr ?? "not found", /not found|no such file/i, name);
      }
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test("a file that cannot be read ends the build, with its name", async () => {
    const directory = work.join("unreadable");
    mkdirSync(directory);
    writeFileSync(join(directory, "Dockerfile"), "FROM busybox\nCOPY . /c/\n");
    // Root reads everything, but of this there is nothing to read, whatever its size says.
    const file = join(directory, "later");
    writeFileSync(file, "");
    execFileSync("mount", ["--bind", "/sys/class/net/lo/speed", file]);
    try {
      const { status, stderr } = await boxship(["build", directory], { timeout: 60_000 });
      assert.equal(status, 1, stderr);
      assert.match(stderr, /cannot read what is to be sent: \S/);
    } finally {
      execFileSync("umount", [file]);
    }
  });

  test(`${FILES} files`, async (t) => {
    const directory = work.join("many");
    for (let index = 0; index < FILES; index++) {
      if (index % 1000 === 0) mkdirSync(join(directory, `d${index / 1000}`), { recursive: true });
      writeFileSync(join(directory, `d${Math.floor(index / 1000)}/f${index}`), `file ${index}\n`);
    }
    writeFileSync(join(directory, "Dockerfile"), "FROM busybox\nCOPY . /c/\nRUN find /c -type f | wc -l > /count\n");
    for (const [name, build] of Object.entries(doors)) {
      const began = performance.now();
      const { status, stderr } = await build(directory, "many:1");
      t.diagnostic(`${name}: ${Math.round(performance.now() - began)} ms`);
      assert.equal(status, 0, `${name}: ${stderr}`);
      const ran = await boxship(["run", "--rm", "--network", "none", "many:1", "cat", "/count"]);
      assert.equal(ran.stdout, `${FILES + 1}\n`);
      await engine.client.call("POST", "/build/prune?all=1");
      await engine.client.call("DELETE", "/images/many:1?force=1");
    }
  });
});
