import { deepEqual, equal, match, ok } from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  faultyProxy,
  type ImageFixture,
  pushFixture,
  pushIndexFixture,
  REGISTRY_USER,
  runProgram,
  startRegistry,
  type TempDir,
  type TestRegistry,
  tempDir,
} from "@boxship/testkit";
import { skopeoInProcess, type Told } from "../testing/in-process.ts";

let registry: TestRegistry;
let locked: TestRegistry;
let directory: TempDir;

const layer = (name: string, content: string) => ({ entries: [{ name, content }] });

function image(architecture: string): ImageFixture {
  return {
    architecture,
    layers: [layer("etc", `hello <&> ${architecture}`), layer("shared", "the same in both")],
    config: {
      Env: ["A=b", "PATH=/bin"],
      Labels: { z: "1", a: "<x>" },
      Cmd: ["sh"],
      ExposedPorts: { "80/tcp": {} },
      WorkingDir: "/w",
      Healthcheck: { Test: ["CMD", "true"] },
    },
  };
}

before(async () => {
  directory = tempDir("skopeo");
  [registry, locked] = await Promise.all([startRegistry(), startRegistry({ auth: "htpasswd" })]);
  await Promise.all([
    pushFixture(registry, "lib/one:1", image("amd64")),
    pushFixture(registry, "lib/one:2", image("amd64"), { format: "docker" }),
    pushFixture(registry, "lib/bare:1", { layers: [] }),
    pushIndexFixture(registry, "lib/multi:1", [image("amd64"), image("arm64")]),
    pushFixture(locked, "secret/one:1", image("amd64")),
  ]);
});

after(async () => {
  await registry?.[Symbol.asyncDispose]();
  await locked?.[Symbol.asyncDispose]();
  await directory?.[Symbol.asyncDispose]();
});

/** A file's content; of an archive its members, as Go and we write different headers for the same. */
function bytesIn(path: string): Uint8Array {
  if (!path.endsWith(".tar")) return readFileSync(path);
  const parts = ["-tvf", "-xOf"].map((flag) => spawnSync("tar", [flag, path]).stdout);
  return Buffer.concat(parts);
}

/** Names and digests of all files below a directory. */
function tree(root: string, below = ""): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(join(root, below)).sort()) {
    const path = join(below, name);
    if (statSync(join(root, path)).isDirectory()) Object.assign(found, tree(root, path));
    else
      found[path] = createHash("sha256")
        .update(bytesIn(join(root, path)))
        .digest("hex");
  }
  return found;
}

/** What both print, in the same words: names of temporary places and times aside; blobs are copied in any order. */
function told({ status, stdout, stderr }: Told, root: string): unknown {
  const plain = (text: string) => text.replaceAll(root, "ROOT").replace(/time="[^"]*"/g, "time=T");
  const lines = plain(stdout).split("\n");
  return { status, lines: stdout.includes("Copying blob") ? lines.sort() : lines, stderr: plain(stderr) };
}

/** Runs a list of commands with Debian's skopeo and with ours, each in a directory of its own; the same must come of it. */
async function same(name: string, commands: readonly (readonly string[])[], words = true): Promise<string> {
  const [theirs, ours] = [directory.join(`${name}-theirs`), directory.join(`${name}-ours`)];
  for (const root of [theirs, ours]) mkdirSync(root);
  for (const command of commands) {
    const at = (root: string) => command.map((word) => word.replaceAll("ROOT", root).replaceAll("REG", registry.host));
    const reference = await runProgram(["skopeo", ...at(theirs)]);
    const own = await skopeoInProcess(at(ours));
    const label = `${command.join(" ")}\n${reference.stderr}\n${own.stderr}`;
    if (words) deepEqual(told(own, ours), told(reference, theirs), label);
    else deepEqual([own.status, own.stdout], [reference.status, reference.stdout], label);
  }
  deepEqual(tree(ours), tree(theirs));
  return ours;
}

const SRC = "--src-tls-verify=false";
const DEST = "--dest-tls-verify=false";
const TLS = "--tls-verify=false";

test("inspect and list-tags print what skopeo prints", async () => {
  await same("inspect", [
    ["inspect", TLS, "docker://REG/lib/one:1"],
    ["inspect", TLS, "docker://REG/lib/one:2"],
    ["inspect", TLS, "docker://REG/lib/bare:1"],
    ["inspect", TLS, "--config", "docker://REG/lib/one:1"],
    ["inspect", TLS, "--config", "--raw", "docker://REG/lib/one:1"],
    ["inspect", TLS, "--raw", "docker://REG/lib/multi:1"],
    ["inspect", TLS, "-n", "docker://REG/lib/multi:1"],
    ["--override-arch=arm64", "inspect", TLS, "docker://REG/lib/multi:1"],
    [
      "inspect",
      TLS,
      "--format",
      "{{.Name}} {{.Digest}} {{.Labels}} {{.Created}} {{len .Layers}}",
      "docker://REG/lib/one:2",
    ],
    ["list-tags", TLS, "docker://REG/lib/one"],
    ["list-tags", TLS, "docker://REG/lib/one:1"],
    ["copy", "nowhere", "dir:ROOT/x"],
    ["copy", "x:y", "dir:ROOT/x"],
    ["bogus"],
    ["copy", "--bogus", "a", "b"],
    ["delete", TLS, "docker://REG/lib/none:1"],
  ]);
});

test("copy from a registry writes the same layouts, directories and archives as skopeo", async () => {
  const ours = await same("copy", [
    ["copy", SRC, "docker://REG/lib/one:1", "oci:ROOT/layout:tag"],
    ["copy", SRC, "docker://REG/lib/one:2", "oci:ROOT/layout:other"],
    ["copy", SRC, "docker://REG/lib/one:2", "oci:ROOT/layout:tag"],
    ["copy", SRC, "--all", "docker://REG/lib/multi:1", "oci:ROOT/layout:all"],
    ["copy", SRC, "docker://REG/lib/one:1", "dir:ROOT/dir"],
    ["copy", SRC, "--all", "docker://REG/lib/multi:1", "dir:ROOT/all"],
    ["copy", SRC, "--format=v2s2", "docker://REG/lib/one:1", "dir:ROOT/v2s2"],
    ["copy", SRC, "--format=v2s2", "--all", "docker://REG/lib/multi:1", "dir:ROOT/list"],
    ["copy", SRC, "--dest-decompress", "--quiet", "docker://REG/lib/one:1", "dir:ROOT/plain"],
    ["copy", SRC, "docker://REG/lib/one:1", "docker-archive:ROOT/a.tar:team/app:1"],
    ["copy", "--additional-tag=team/app:2", SRC, "docker://REG/lib/bare:1", "docker-archive:ROOT/b.tar:team/app:1"],
    ["copy", "oci:ROOT/layout:tag", "dir:ROOT/back"],
    ["copy", "docker-archive:ROOT/a.tar:team/app:1", "dir:ROOT/from-archive"],
    ["inspect", "oci:ROOT/layout:all"],
    ["inspect", "dir:ROOT/v2s2"],
    ["inspect", "docker-archive:ROOT/a.tar"],
    ["inspect", "--raw", "docker-archive:ROOT/a.tar"],
    ["list-tags", "docker-archive:ROOT/b.tar"],
    ["inspect", "oci:ROOT/layout:none"],
    ["inspect", "oci:ROOT/layout"],
  ]);
  // Theirs has the time of day in its archive; each reads the other's.
  const archive = `${ours}/layout.tar`;
  equal((await skopeoInProcess(["copy", `oci:${ours}/layout:tag`, `oci-archive:${archive}:x`])).status, 0);
  const theirs = await runProgram(["skopeo", "inspect", `oci-archive:${archive}:x`]);
  deepEqual(theirs.stdout, (await skopeoInProcess(["inspect", `oci-archive:${archive}`])).stdout);
  await runProgram(["skopeo", "copy", `oci:${ours}/layout:tag`, `oci-archive:${ours}/t.tar:x`]);
  equal((await skopeoInProcess(["copy", `oci-archive:${ours}/t.tar:x`, `dir:${ours}/t`])).status, 0);
  deepEqual(tree(`${ours}/t`), tree(`${ours}/back`));
});

test("copy to a registry, from one to another, and delete", async () => {
  const at = (name: string) => `docker://${registry.host}/${name}`;
  const digestFile = directory.join("digest");
  const steps: readonly (readonly string[])[] = [
    ["copy", SRC, DEST, "--preserve-digests", "--all", at("lib/multi:1"), at("copied/multi:1")],
    ["copy", SRC, "-q", at("lib/one:1"), `oci:${directory.join("push")}:x`],
    ["copy", DEST, "-q", `--digestfile=${digestFile}`, `oci:${directory.join("push")}:x`, at("copied/one:1")],
  ];
  for (const step of steps) {
    const { status, stderr } = await skopeoInProcess(step);
    equal(status, 0, stderr);
  }
  const raw = async (name: string) => (await runProgram(["skopeo", "inspect", TLS, "--raw", at(name)])).stdout;
  equal(await raw("copied/multi:1"), await raw("lib/multi:1"));
  equal(await raw("copied/one:1"), await raw("lib/one:1"));
  const digest = `sha256:${createHash("sha256")
    .update(await raw("lib/one:1"))
    .digest("hex")}`;
  equal(readFileSync(digestFile, "utf8"), digest);
  // An index with its images, none of which the platform was asked for.
  const index = await skopeoInProcess([
    "copy",
    SRC,
    DEST,
    "--multi-arch=index-only",
    at("lib/multi:1"),
    at("copied/multi:2"),
  ]);
  equal(index.status, 0, index.stderr);
  equal((await skopeoInProcess(["delete", TLS, at("copied/one:1")])).status, 0);
  match((await skopeoInProcess(["inspect", TLS, at("copied/one:1")])).stderr, /manifest unknown/);
});

test("sync copies the same images to the same places as skopeo", async () => {
  const yaml = directory.join("sync.yaml");
  writeFileSync(
    yaml,
    `${registry.host}:\n  tls-verify: false\n  images:\n    lib/one: ["1"]\n  images-by-tag-regex:\n    lib/multi: ^[0-9]$\n`,
  );
  await same("sync", [
    ["sync", "--src=docker", "--dest=dir", SRC, "REG/lib/one", "ROOT/all"],
    ["sync", "--src=docker", "--dest=dir", "--scoped", SRC, "REG/lib/one:1", "ROOT/scoped"],
    ["sync", "--src=docker", "--dest=dir", "--dry-run", SRC, "REG/lib/one:1", "ROOT/dry"],
    ["sync", "--src=dir", "--dest=dir", "ROOT/all", "ROOT/again"],
    ["sync", "--src=docker", "--dest=dir", SRC, "REG/lib/one", "ROOT/all"],
  ]);
  const root = directory.join("sync-ours");
  const file = await skopeoInProcess(["sync", "--src=yaml", "--dest=dir", yaml, `${root}/yaml`]);
  equal(file.status, 0, file.stderr);
  deepEqual(readdirSync(`${root}/yaml`).sort(), ["multi:1", "one:1"]);
  const pushed = await skopeoInProcess([
    "sync",
    "--src=dir",
    "--dest=docker",
    DEST,
    `${root}/all`,
    `${registry.host}/synced`,
  ]);
  equal(pushed.status, 0, pushed.stderr);
  const tags = await runProgram(["skopeo", "list-tags", TLS, `docker://${registry.host}/synced/one`]);
  deepEqual((JSON.parse(tags.stdout) as { Tags: string[] }).Tags.sort(), ["1", "2"]);
});

test("credentials come from flags and from files that login writes, each tool reading the other's", async () => {
  const { username, password } = REGISTRY_USER;
  const name = `docker://${locked.host}/secret/one:1`;
  const authfile = directory.join("auth.json");
  const flags = [`--authfile=${authfile}`, TLS];
  match((await skopeoInProcess(["inspect", TLS, "--no-creds", name])).stderr, /unauthorized|authentication required/);
  equal((await skopeoInProcess(["inspect", TLS, `--creds=${username}:${password}`, name])).status, 0);
  equal((await skopeoInProcess(["inspect", TLS, `--username=${username}`, `--password=${password}`, name])).status, 0);
  const wrong = await skopeoInProcess(["login", ...flags, "-u", username, "-p", "wrong", locked.host]);
  equal(wrong.status, 1);
  const login = await skopeoInProcess(["login", ...flags, "-u", username, "--password-stdin", locked.host], {
    input: `${password}\n`,
  });
  equal(login.stdout, "Login Succeeded!\n", login.stderr);
  for (const run of [skopeoInProcess, (args: readonly string[]) => runProgram(["skopeo", ...args])]) {
    equal((await run(["inspect", ...flags, name])).status, 0);
    equal((await run(["login", `--authfile=${authfile}`, "--get-login", locked.host])).stdout, `${username}\n`);
  }
  const logout = await runProgram(["skopeo", "logout", `--authfile=${authfile}`, locked.host]);
  equal(logout.status, 0, logout.stderr);
  match((await skopeoInProcess(["logout", `--authfile=${authfile}`, locked.host])).stderr, /not logged into/);
});

/** A credential helper that keeps what it is given of the last server. */
const KEEPER = `#!/bin/sh
kept="$(dirname "$0")/kept"
case $1 in
  get) read -r server; [ -e "$kept" ] && grep -qF "$server" "$kept" || { echo "credentials not found in native keychain"; exit 1; }; cat "$kept" ;;
  store) cat >"$kept" ;;
  erase) rm "$kept" ;;
esac
`;

test("credential helpers that auth.json names are asked, filled and emptied, by both tools alike", async () => {
  const { username, password } = REGISTRY_USER;
  const name = `docker://${locked.host}/secret/one:1`;
  const authfile = directory.join("helped.json");
  const bin = directory.join("helpers");
  const written = JSON.stringify({ credHelpers: { [locked.host]: "keeper" } });
  mkdirSync(bin);
  writeFileSync(join(bin, "docker-credential-keeper"), KEEPER, { mode: 0o755 });
  writeFileSync(authfile, written);
  const path = process.env["PATH"];
  process.env["PATH"] = `${bin}:${path}`;
  try {
    const theirs = (args: readonly string[], input = "") => runProgram(["skopeo", ...args], { input });
    const ours = (args: readonly string[], input = "") => skopeoInProcess(args, { input });
    for (const [first, second] of [
      [ours, theirs],
      [theirs, ours],
    ] as const) {
      equal((await ours(["inspect", `--authfile=${authfile}`, TLS, name])).status, 1);
      const login = ["login", `--authfile=${authfile}`, TLS, "-u", username, "--password-stdin", locked.host];
      const { status, stderr } = await first(login, password);
      equal(status, 0, stderr);
      match(readFileSync(join(bin, "kept"), "utf8"), new RegExp(`"${password}"`));
      for (const tool of [ours, theirs]) {
        const inspected = await tool(["inspect", `--authfile=${authfile}`, TLS, name]);
        equal(inspected.status, 0, inspected.stderr);
      }
      const logout = await second(["logout", `--authfile=${authfile}`, locked.host]);
      equal(logout.status, 0, logout.stderr);
      ok(!existsSync(join(bin, "kept")));
    }
    ok(!readFileSync(authfile, "utf8").includes('"auth"'));
  } finally {
    process.env["PATH"] = path;
  }
});

test("a token of --registry-token is sent as it is, and nobody is asked for another", async () => {
  await using guarded = await faultyProxy(registry, ({ headers }) =>
    headers.authorization === "Bearer the-token"
      ? undefined
      : { kind: "status", status: 401, headers: { "www-authenticate": 'Bearer realm="http://127.0.0.1:9/token"' } },
  );
  const name = `docker://${guarded.host}/lib/one:1`;
  for (const run of [skopeoInProcess, (args: readonly string[]) => runProgram(["skopeo", ...args])]) {
    const inspected = await run(["inspect", TLS, "--registry-token=the-token", name]);
    equal(inspected.status, 0, inspected.stderr);
    const to = `dir:${directory.join(`token-${guarded.requests.length}`)}`;
    const copied = await run(["copy", "-q", SRC, "--src-registry-token=the-token", name, to]);
    equal(copied.status, 0, copied.stderr);
    equal((await run(["inspect", TLS, "--registry-token=another", name])).status, 1);
  }
});

test("mistakes in names of images are told in skopeo's words", async () => {
  const upper = "docker://REG/Lib/One:1";
  await same("mistakes", [
    ["copy", SRC, "REG/lib/one:1", "dir:ROOT/copied"],
    ["copy", SRC, "busybox", "dir:ROOT/copied"],
    ["inspect", "busybox"],
    ["list-tags", TLS, "REG/lib/one"],
    ["delete", TLS, "busybox"],
    ["inspect", "oci:ROOT/none"],
    ["inspect", "dir:ROOT/none"],
    ["--insecure-policy", "copy", DEST, "oci:ROOT/none", "docker://REG/lib/none:1"],
    ["inspect", TLS, upper],
    ["copy", SRC, upper, "dir:ROOT/copied"],
    ["list-tags", TLS, "docker://REG/Lib/One"],
    ["delete", TLS, upper],
    ["sync", SRC, "--src=docker", "--dest=dir", "REG/Lib/One", "ROOT/copied"],
    ["copy", "docker:x", "dir:ROOT/copied"],
    ["inspect", "docker-archive:ROOT/none.tar"],
    ["list-tags", "docker-archive:ROOT/none.tar"],
    ["--insecure-policy", "copy", "docker-archive:ROOT/none.tar", "oci:ROOT/copied:1"],
    ["inspect", TLS, "docker://REG/lib/one:none"],
    ["inspect", TLS, `docker://REG/lib/one@sha256:${"0".repeat(64)}`],
    ["--insecure-policy", "copy", SRC, "docker://REG/lib/none:1", "oci:ROOT/copied:1"],
    ["list-tags", TLS, "docker://REG/lib/none"],
    ["sync", "--src=yaml", "--dest=dir", "ROOT/none.yml", "ROOT/copied"],
    ["manifest-digest", "ROOT/none.json"],
  ]);
});

test("templates of configurations have the names of Go's types", async () => {
  const fields = "{{.Architecture}} {{.OS}} {{.RootFS.Type}} {{len .RootFS.DiffIDs}} {{.Config.Cmd}} {{.Author}}";
  await same("templates", [
    ["inspect", TLS, "--config", `--format=${fields} {{.Config.Labels}}`, "docker://REG/lib/one:1"],
    ["inspect", TLS, "--config", "--format={{range .History}}{{.CreatedBy}}{{end}}", "docker://REG/lib/one:1"],
  ]);
});

test("what cannot be done is refused by name", async () => {
  const source = `docker://${registry.host}/lib/one:1`;
  const to = `dir:${directory.join("refused")}`;
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [["copy", SRC, "--sign-by=ABC", source, to], /GPG keys are not supported/],
    [["standalone-sign", "m", "r", "k"], /standalone-sign is not supported: .*boxship sign/],
    [["--registries.d=/etc", "inspect", source], /--registries.d is not supported/],
    [["copy", SRC, "--encryption-key=jwe:x", source, to], /encrypted images are not supported/],
    [["copy", SRC, "--format=v2s1", source, to], /v2s1 is not supported/],
    [["copy", SRC, "--dest-compress-format=zstd", source, to], /zstd is not supported/],
    [["copy", SRC, "ostree:x", to], /ostree.* is not supported/],
    [
      ["copy", SRC, "--preserve-digests", source, `docker-archive:${directory.join("p.tar")}`],
      /without changing its digest/,
    ],
    [["copy", SRC, source, `dir:${directory.path}`], /don't want to overwrite/],
    [
      ["--override-arch=s390x", "inspect", TLS, `docker://${registry.host}/lib/multi:1`],
      /no image found in image index/,
    ],
  ];
  for (const [args, message] of cases) {
    const { status, stderr } = await skopeoInProcess(args);
    ok(status !== 0, args.join(" "));
    match(stderr, message);
  }
});

test("delete takes a name out of a layout, with what no other name needs", async () => {
  const layout = directory.join("deleted");
  const copy = (name: string, tag: string) =>
    skopeoInProcess(["copy", "-q", SRC, `docker://${registry.host}/${name}`, `oci:${layout}:${tag}`]);
  for (const [name, tag] of [
    ["lib/one:1", "a"],
    ["lib/one:1", "b"],
    ["lib/multi:1", "c"],
  ] as const) {
    equal((await copy(name, tag)).status, 0);
  }
  const blobs = () => readdirSync(`${layout}/blobs/sha256`).length;
  equal(
    (
      await skopeoInProcess([
        "--override-arch=arm64",
        "copy",
        "-q",
        SRC,
        `docker://${registry.host}/lib/multi:1`,
        `oci:${layout}:d`,
      ])
    ).status,
    0,
  );
  const all = blobs();
  equal((await skopeoInProcess(["delete", `oci:${layout}:a`])).status, 0);
  equal(blobs(), all);
  equal((await skopeoInProcess(["delete", `oci:${layout}:d`])).status, 0);
  // Its manifest, configuration and own layer; the layer that it shares stays.
  equal(blobs(), all - 3);
  equal((await runProgram(["skopeo", "inspect", `oci:${layout}:b`])).status, 0);
  match((await skopeoInProcess(["delete", `oci:${layout}:a`])).stderr, /no descriptor found for reference/);
  match((await skopeoInProcess(["delete", `dir:${layout}`])).stderr, /not implemented for dir: images/);
});

test("called by skopeo's name, the program is skopeo", () => {
  const main = join(import.meta.dirname, "../main.ts");
  const file = directory.join("manifest");
  writeFileSync(file, "{}");
  const args = ["--disable-warning=ExperimentalWarning", "--", main, "manifest-digest", file];
  const { stdout, stderr } = spawnSync(process.execPath, args, { argv0: "skopeo", encoding: "utf8" });
  equal(stdout, `sha256:${createHash("sha256").update("{}").digest("hex")}\n`, stderr);
});

test("certificates, retries, shared blobs and compression on the way", async () => {
  const layouts = [directory.join("shared-one"), directory.join("shared-two")];
  const blobs = directory.join("shared-blobs");
  for (const layout of layouts) {
    const copied = await skopeoInProcess([
      "copy",
      "-q",
      SRC,
      "--retry-times=2",
      `--dest-shared-blob-dir=${blobs}`,
      `docker://${registry.host}/lib/one:1`,
      `oci:${layout}:x`,
    ]);
    equal(copied.status, 0, copied.stderr);
  }
  equal(readdirSync(`${blobs}/sha256`).length, 4);
  const read = await runProgram(["skopeo", "inspect", `--shared-blob-dir=${blobs}`, `oci:${layouts[0]}:x`]);
  equal(read.status, 0, read.stderr);
  const plain = directory.join("plain-dir");
  equal(
    (
      await skopeoInProcess([
        "copy",
        "-q",
        SRC,
        "--dest-decompress",
        `docker://${registry.host}/lib/one:1`,
        `dir:${plain}`,
      ])
    ).status,
    0,
  );
  const packed = directory.join("packed-dir");
  equal((await skopeoInProcess(["copy", "-q", "--dest-compress", `dir:${plain}`, `dir:${packed}`])).status, 0);
  const layers = (await skopeoInProcess(["inspect", "--raw", `dir:${packed}`])).stdout;
  equal(
    (JSON.parse(layers) as { layers: { mediaType: string }[] }).layers.every(({ mediaType }) =>
      mediaType.endsWith("tar+gzip"),
    ),
    true,
  );
  mkdirSync(directory.join("certs"));
  writeFileSync(directory.join("certs/client.cert"), "x");
  const refused = await skopeoInProcess([
    "inspect",
    `--cert-dir=${directory.join("certs")}`,
    `docker://${registry.host}/lib/one:1`,
  ]);
  match(refused.stderr, /client certificates are not supported/);
  const late = await skopeoInProcess(["--command-timeout=1ns", "inspect", TLS, `docker://${registry.host}/lib/one:1`]);
  match(late.stderr, /deadline exceeded/);
});
