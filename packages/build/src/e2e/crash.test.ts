import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { dockerCli, makeTar, OLD_DOCKER, runProgram, startBoxship, tempDir } from "@boxship/testkit";

/** How often the daemon is killed; fifty times in `npm run soak`. */
const KILLS = Number(process.env["BOXSHIP_TEST_KILLS"] ?? "6");

const FILE = `FROM busybox AS one
COPY a.txt /a
RUN for i in 1 2 3; do echo $i >> /n; sleep 0.05; done
RUN --mount=type=cache,target=/c echo x >> /c/x && sleep 0.05 && cat /a /n > /both
FROM busybox AS two
RUN dd if=/dev/zero of=/big bs=1M count=8 2>/dev/null && sleep 0.1
RUN rm /big && echo two > /two
FROM busybox
COPY --from=one /both /both
COPY --from=two /two /two
RUN cat /both /two > /all
`;

test("kill -9 in the middle of builds leaves nothing behind, and the cache right", async (context) => {
  await using directory = tempDir("build-crash");
  await using boxship = await startBoxship();
  const env = { DOCKER_HOST: `unix://${boxship.socketPath}`, DOCKER_BUILDKIT: "0" };
  const docker = (...args: readonly string[]) => runProgram([OLD_DOCKER, ...args], { env, timeout: 60_000 });
  const current = dockerCli(boxship.socketPath);
  const hasBuildx = current !== undefined && (await current(["buildx", "version"])).status === 0;
  await boxship.client.call("POST", "/boxship/images/bootstrap?kind=busybox");
  mkdirSync(directory.join("context"));
  writeFileSync(directory.join("context/Dockerfile"), FILE);
  let cut = 0;
  for (let round = 0; round < KILLS; round++) {
    writeFileSync(directory.join("context/a.txt"), `round ${round}\n`);
    const words = ["build", "-t", "crashed", directory.join("context")];
    // One round in three goes through BuildKit's services.
    const building =
      hasBuildx && round % 3 === 2 ? current(["buildx", ...words], { timeout: 60_000 }) : docker(...words);
    await delay(50 + Math.random() * 900);
    await boxship.crash();
    if ((await building).status !== 0) cut++;
    await boxship.start();
    const left = leftovers(boxship.root, boxship.runDir);
    assert.deepEqual(left, [], `after round ${round}`);
  }
  context.diagnostic(`${cut} of ${KILLS} builds were cut off`);
  const built = await docker("build", "-t", "whole", directory.join("context"));
  assert.equal(built.status, 0, built.stdout + built.stderr);
  const { stdout } = await docker("run", "--rm", "--network", "none", "whole", "cat", "/all");
  assert.equal(stdout, `round ${KILLS - 1}\n1\n2\n3\ntwo\n`);
  checkBlobs(join(boxship.root, "content"));
});

test("a build that fills the disk fails, leaves nothing, and the next one works", async () => {
  await using directory = tempDir("build-full");
  const disk = directory.join("disk");
  mkdirSync(disk);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=24m", "boxship", disk]);
  await using boxship = await startBoxship({ root: join(disk, "root") });
  const env = { DOCKER_HOST: `unix://${boxship.socketPath}`, DOCKER_BUILDKIT: "0" };
  await boxship.client.call("POST", "/boxship/images/bootstrap?kind=busybox");
  mkdirSync(directory.join("context"), { recursive: true });
  const build = async (file: string, ...flags: readonly string[]) => {
    writeFileSync(directory.join("context/Dockerfile"), file);
    return await runProgram([OLD_DOCKER, "build", ...flags, directory.join("context")], { env });
  };
  const current = dockerCli(boxship.socketPath);
  const hasBuildx = current !== undefined && (await current(["buildx", "version"])).status === 0;
  const buildx = (file: string) => {
    writeFileSync(directory.join("context/Dockerfile"), file);
    return current?.(["buildx", "build", "--progress=plain", directory.join("context")]) ?? Promise.reject(new Error());
  };
  const small = "FROM busybox\nRUN echo small > /small\n";
  // Once with a command that fails, once with one whose layer does not fit.
  for (const line of ["dd if=/dev/zero of=/big bs=1M", "dd if=/dev/urandom of=/big bs=1M count=11"]) {
    const full = await build(`${small}RUN ${line}\n`);
    assert.notEqual(full.status, 0, full.stdout);
    assert.match(full.stdout + full.stderr, /returned a non-zero code|[Nn]o space left/);
    assert.deepEqual(leftovers(boxship.root, boxship.runDir), []);
    if (!hasBuildx) continue;
    const through = await buildx(`${small}RUN ${line}\n`);
    assert.notEqual(through.status, 0);
    assert.match(through.stderr, /failed to solve: (?:process .* did not complete|.*no space left)/i);
    assert.deepEqual(leftovers(boxship.root, boxship.runDir), []);
  }
  if (hasBuildx) {
    // A context that does not fit leaves nothing of it; a disk without a byte fails no build that needs none.
    writeFileSync(directory.join("context/large"), Buffer.alloc(26 << 20));
    const full = await buildx("FROM busybox\nCOPY large /\n");
    rmSync(directory.join("context/large"));
    assert.match(full.stderr, /failed to solve: no space left on device for the client's files/);
    assert.deepEqual(readdirSync(join(boxship.root, "build/buildkit/contexts")), []);
    fill(join(disk, "filling"));
    const failed = await buildx("FROM busybox\nRUN true\n");
    assert.match(failed.stderr, /failed to solve: .*no space left/i);
    assert.doesNotMatch(failed.stderr, /buildkit\/history/);
    rmSync(join(disk, "filling"));
  }
  // Archives of a few kilobytes that would become more than fits.
  const bomb = makeTar([{ name: "bomb", content: Buffer.alloc(40 << 20) }]);
  for (const packed of [gzipSync(bomb), zstdCompressSync(bomb)]) {
    writeFileSync(directory.join("context/bomb"), packed);
    const full = await build("FROM busybox\nADD bomb /\n");
    assert.match(full.stderr, /tar entry "bomb": no space left on/);
    assert.deepEqual(leftovers(boxship.root, boxship.runDir), []);
  }
  rmSync(directory.join("context/bomb"));
  const next = await build(`${small}RUN cat /small\n`);
  assert.equal(next.status, 0, next.stdout + next.stderr);
  assert.match(next.stdout, /Using cache[^]*\nsmall\n/);
  await boxship.crash();
  await boxship.start();
  assert.equal((await build(`${small}RUN cat /small; echo again\n`)).status, 0);
  checkBlobs(join(boxship.root, "content"), 2);
});

/** Writes until nothing more fits. */
function fill(path: string): void {
  const file = openSync(path, "w");
  try {
    for (let size = 1 << 20; size > 0; )
      try {
        writeSync(file, Buffer.alloc(size));
      } catch {
        size = size === 1 << 20 ? 4096 : 0;
      }
  } finally {
    closeSync(file);
  }
}

/** Mounts, file systems, work files and namespaces of builds. */
function leftovers(root: string, runDir: string): readonly string[] {
  const list = (path: string) => (existsSync(path) ? readdirSync(path).map((name) => `${path}/${name}`) : []);
  const mounts = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(`${root}/snapshots/containers/`));
  return [
    ...mounts,
    ...list(`${root}/snapshots/containers`),
    ...list(`${root}/build/work`),
    ...list(`${runDir}/build`),
    ...list(`${runDir}/network/sandboxes`),
  ];
}

/** Every blob has the digest that it is named by. */
function checkBlobs(directory: string, least = 6): void {
  let checked = 0;
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !/^[0-9a-f]{64}$/.test(entry.name)) continue;
    const bytes = readFileSync(join(entry.parentPath, entry.name));
    assert.equal(createHash("sha256").update(bytes).digest("hex"), entry.name);
    checked++;
  }
  assert.ok(checked >= least, `only ${checked} blobs were found`);
}
