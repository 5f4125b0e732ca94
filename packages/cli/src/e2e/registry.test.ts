import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { runProgram, startBoxship, tempDir } from "@boxship/testkit";
import { boxship, onSocket } from "./programs.ts";

// bcrypt of "secret".
const HASH = "$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a";

test("registry serve: users with rules push and pull, skopeo too; SIGTERM ends it, and gc cleans up", async () => {
  await using directory = tempDir("registry");
  const [htpasswd, access, root] = [directory.join("htpasswd"), directory.join("access.yaml"), directory.join("root")];
  writeFileSync(htpasswd, `ann:${HASH}\nbob:${HASH}\n`);
  writeFileSync(
    access,
    "rules:\n  - { users: [ann], actions: [pull, push, delete] }\n  - { users: [anonymous], repositories: [public/*], actions: [pull] }\n",
  );
  const flags = ["--root", root, "--htpasswd", htpasswd, "--access-file", access, "--listen", "127.0.0.1:0"];
  const [file = "", ...args] = [...boxship, "registry", "serve", ...flags];
  const child = spawn(file, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  try {
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    const url = /^Serving at (http:\/\/127\.0\.0\.1:\d+)\n$/.exec(line.toString())?.[1] ?? "";
    assert.notEqual(url, "", line.toString());
    const host = url.replace("http://", "");
    writeFileSync(directory.join("file"), "content");
    await runProgram(["tar", "-C", directory.path, "-cf", directory.join("layer.tar"), "file"]);
    const as = (user: string) => ["--dest-tls-verify=false", `--dest-creds=${user}:secret`];
    const archive = directory.join("image");
    const config = JSON.stringify({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [] } });
    writeFileSync(directory.join("config.json"), config);
    // An image without layers is an image all the same.
    const digest = (await runProgram(["sha256sum", directory.join("config.json")])).stdout.split(" ")[0] ?? "";
    await runProgram(["mkdir", archive]);
    writeFileSync(`${archive}/${digest}`, config);
    writeFileSync(`${archive}/version`, "Directory Transport Version: 1.1\n");
    const manifest = {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: {
        mediaType: "application/vnd.oci.image.config.v1+json",
        digest: `sha256:${digest}`,
        size: config.length,
      },
      layers: [],
    };
    writeFileSync(`${archive}/manifest.json`, JSON.stringify(manifest));
    const push = (user: string, name: string) =>
      runProgram(["skopeo", "copy", ...as(user), `dir:${archive}`, `docker://${host}/${name}`]);
    const pushed = await push("ann", "public/image:1");
    assert.equal(pushed.status, 0, pushed.stderr);
    assert.equal((await push("ann", "private/image:1")).status, 0);
    assert.match((await push("bob", "public/image:2")).stderr, /unauthorized/);
    const inspect = (name: string) =>
      runProgram(["skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${host}/${name}`]);
    assert.deepEqual(JSON.parse((await inspect("public/image:1")).stdout), manifest);
    assert.match((await inspect("private/image:1")).stderr, /authentication required|unauthorized/i);
    const second = await runProgram([...boxship, "registry", "gc", "--root", root]);
    assert.deepEqual([second.status, /another registry is using/.test(second.stderr)], [1, true], second.stderr);
  } finally {
    child.kill("SIGTERM");
    await ended;
  }
  assert.equal(child.exitCode, 0);
  const gc = await runProgram([...boxship, "registry", "gc", "--root", root, "--dry-run"]);
  assert.match(gc.stdout, /^Would remove 0 manifests and 0 blobs/, gc.stderr);
  const config = directory.join("config.yaml");
  writeFileSync(config, "retention: [{ repositories: ['private/*'], keep: 0 }]\n");
  const retain = await runProgram([...boxship, "registry", "retain", "--root", root, "--config", config, "--dry-run"]);
  assert.match(retain.stdout, /^private\/image:1 sha256:[0-9a-f]{64}\nWould remove 1 tags\n$/, retain.stderr);
  assert.ok(existsSync(`${root}/index.db`));

  const check = (...more: string[]) => runProgram([...boxship, "registry", "check", "--root", root, ...more]);
  const clean = await check();
  const counts = "Registry: 2 repositories, 2 manifests, 2 tags, 2 blobs, \\S+";
  assert.match(clean.stdout, new RegExp(`^${counts}\nEverything is as it should be\n$`), clean.stderr);
  const blobs = `${root}/content/blobs/sha256`;
  const smallest = readdirSync(blobs).toSorted(
    (a, b) => statSync(`${blobs}/${a}`).size - statSync(`${blobs}/${b}`).size,
  );
  appendFileSync(`${blobs}/${smallest[0]}`, "x");
  const told = await check();
  assert.equal(told.status, 1);
  assert.match(told.stdout, /^public\/image@sha256:[0-9a-f]{64}: blob is corrupt \(--repair: is removed\)$/m);
  assert.match(
    told.stdout,
    /manifest needs sha256:\S+, which is not there \(cannot be mended here; pull or push it again\)/,
  );
  assert.match(told.stderr, /4 of 4 problems are there/);
  const mended = await check("--repair");
  assert.deepEqual([mended.status, /blob is corrupt \(is removed\)/.test(mended.stdout)], [1, true], mended.stderr);
  assert.match(mended.stderr, /2 of 4 problems are there/);
  const left = await check();
  assert.match(left.stderr, /2 of 2 problems are there/, "nothing brings the blob back but a push");

  writeFileSync(
    config,
    "storage: { s3: { endpoint: 'http://127.0.0.1:1/bucket', accessKeyId: a, secretAccessKey: b } }\n",
  );
  const elsewhere = await check("--repair", "--config", config);
  assert.match(elsewhere.stderr, /has its blobs in its own directory, and was started with bucket bucket/);
  assert.match((await check()).stdout, /^Registry: 2 repositories, 2 manifests/, "nothing was taken away");
});

test("system check: what is wrong with the engine's store is told, and mended where it can be", async () => {
  await using directory = tempDir("system-check");
  await using engine = await startBoxship();
  const run = onSocket(engine.socketPath);
  writeFileSync(directory.join("file"), "content");
  await runProgram(["tar", "-C", directory.path, "-cf", directory.join("root.tar"), "file"]);
  assert.equal((await run(["import", directory.join("root.tar"), "imported:1"])).status, 0);
  const clean = await run(["system", "check"]);
  assert.match(clean.stdout, /^Store: \d+ blobs, \S+, 1 images\nEverything is as it should be\n$/, clean.stderr);
  const blobs = `${engine.root}/content/blobs/sha256`;
  writeFileSync(`${blobs}/${"0".repeat(64)}`, "not what its name says");
  const told = await run(["system", "check"]);
  assert.deepEqual([told.status, /1 of 1 problems are there/.test(told.stderr)], [1, true], told.stdout);
  assert.match(told.stdout, /^sha256:0{64}: blob is corrupt \(--repair: \S.*\)$/m);
  const mended = await run(["system", "check", "--repair"]);
  assert.deepEqual([mended.status, /^1 problems were mended$/m.test(mended.stdout)], [0, true], mended.stderr);
  assert.equal((await run(["system", "check"])).stdout, clean.stdout);
});

test("registry serve refuses what cannot be", async () => {
  await using directory = tempDir("registry");
  const serve = (...flags: string[]) =>
    runProgram([...boxship, "registry", "serve", "--root", directory.join("root"), ...flags]);
  const wrong: readonly (readonly [string[], RegExp])[] = [
    [["--listen", "nowhere"], /is no address to listen at/],
    [["--tls-cert", "x"], /go together/],
    [["--config", directory.join("none")], /cannot read .*none/],
    [["--tls-cert", "x", "--tls-key", "y"], /cannot use x with y/],
    [["--htpasswd", directory.join("none")], /cannot read .*none/],
    [["extra"], /accepts? no arguments|requires? at most/i],
  ];
  for (const [flags, message] of wrong) {
    const { status, stderr } = await serve(...flags);
    assert.notEqual(status, 0);
    assert.match(stderr, message);
  }
});
