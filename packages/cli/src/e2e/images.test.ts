import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  ApkKeyFixture,
  apkMirror,
  apkRepository,
  type Boxship,
  dockerCli,
  makeTar,
  type Ran,
  type RunOptions,
  runProgram,
  startBoxship,
  startRegistry,
  staticBusybox,
  type TempDir,
  tempDir,
} from "@boxship/testkit";
import { boxship, onSocket, onTerminal } from "./programs.ts";

const ANYTHING = { type: "insecureAcceptAnything" };

/** Images as archives, from containers, and in registries: the command line on a real engine. */
describe("images through the command line", { concurrency: 2 }, () => {
  let engine: Boxship;
  let settings: TempDir;
  let policy: string;
  let run: (args: readonly string[], options?: RunOptions) => Promise<Ran>;
  const ok = async (...args: string[]): Promise<string> => {
    const { status, stdout, stderr } = await run(args);
    assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
    return stdout.trim();
  };
  const output = (image: string, ...args: string[]) => ok("run", "--rm", "--network", "none", image, ...args);

  before(async () => {
    settings = tempDir("cli-policy");
    policy = settings.join("policy.json");
    writeFileSync(policy, JSON.stringify({ default: [ANYTHING] }));
    writeFileSync(settings.join("config.yaml"), `policy: ${policy}\n`);
    engine = await startBoxship({ env: { BOXSHIP_CONFIG: settings.join("config.yaml") } });
    run = onSocket(engine.socketPath);
    await ok("image", "bootstrap", "busybox");
  });
  after(async () => {
    await engine?.[Symbol.asyncDispose]();
    await settings?.[Symbol.asyncDispose]();
  });

  test("saved to a file and to a pipe, loaded from both", async () => {
    await using directory = tempDir("cli-save");
    const file = directory.join("saved.tar");
    await ok("tag", "busybox", "saved:1");
    assert.equal(await ok("save", "-o", file, "saved:1"), "");
    const line = [...boxship, "--host", `unix://${engine.socketPath}`].map((word) => `'${word}'`).join(" ");
    const piped = await runProgram(["sh", "-c", `${line} save saved:1 | gzip | ${line} load`]);
    assert.equal(piped.stdout, "Loaded image: saved:1\n", piped.stderr);
    await ok("rmi", "saved:1");
    assert.equal(await ok("image", "load", "-i", file), "Loaded image: saved:1");
    assert.equal(await output("saved:1", "echo", "here"), "here");
    const terminal = onTerminal([...boxship, "--host", `unix://${engine.socketPath}`, "save", "saved:1"]);
    const { status, output: shown } = await terminal.end();
    assert.equal(status, 1);
    assert.match(shown, /cowardly refusing to save to a terminal/);
    const broken = directory.join("broken.tar");
    writeFileSync(broken, makeTar([{ name: "etc/passwd", content: "root" }]));
    const refused = await run(["load", "-i", broken]);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /neither a manifest.json nor an index.json[^]*Hint: .*boxship import/);
  });

  test("committed and imported", async () => {
    await using directory = tempDir("cli-import");
    await ok("run", "--name", "made", "--network", "none", "busybox", "sh", "-c", "echo made > /made");
    assert.match(await ok("commit", "-m", "why", "-c", "CMD cat /made", "made", "made:1"), /^sha256:[0-9a-f]{64}$/);
    assert.equal(await output("made:1"), "made");
    const file = directory.join("exported.tar");
    await ok("export", "-o", file, "made");
    assert.match(await ok("import", "-c", 'CMD ["cat", "/made"]', file, "made:2"), /^sha256:[0-9a-f]{64}$/);
    assert.equal(await output("made:2"), "made");
    const mistaken = await run(["commit", "-c", "FROM x", "made"]);
    assert.match(mistaken.stderr, /FROM is not a valid change command\nHint: use one of CMD, /);
  });

  test("pushed and pulled; plain layers are compressed on the way, once", async () => {
    await using registry = await startRegistry();
    await using directory = tempDir("cli-push");
    const file = directory.join("tree.tar");
    writeFileSync(file, makeTar([{ name: "text", content: "text ".repeat(200_000) }]));
    const name = `${registry.host}/cli/app:1`;
    const id = await ok("import", file, name);
    const pushed = await ok("push", name);
    assert.match(pushed, /The push refers to repository[^]*Pushed[^]*1: digest: sha256:[0-9a-f]{64} size: \d+/);
    const manifest = JSON.parse(await ok("manifest", "inspect", name)) as {
      layers: { size: number; mediaType: string }[];
    };
    assert.match(manifest.layers[0]?.mediaType ?? "", /gzip$/);
    assert.ok((manifest.layers[0]?.size ?? 0) < 100_000);
    const docker = dockerCli(engine.socketPath);
    assert.ok(docker !== undefined, "the test setup installs a docker client");
    const index = `http://${name.replace("/", "/v2/").replace(/:1$/, "/manifests/all")}`;
    const single = await fetch(index.replace(/all$/, "1"), {
      headers: { accept: "application/vnd.oci.image.manifest.v1+json" },
    });
    const bytes = Buffer.from(await single.arrayBuffer());
    const digest = single.headers.get("docker-content-digest");
    const platform = { os: "linux", architecture: "arm64", variant: "v8" };
    const entry = { size: bytes.length, mediaType: single.headers.get("content-type"), digest, platform };
    const mediaType = "application/vnd.oci.image.index.v1+json";
    const put = { method: "PUT", headers: { "content-type": mediaType } };
    const body = JSON.stringify({ schemaVersion: 2, mediaType, manifests: [entry] });
    assert.equal((await fetch(index, { ...put, body })).status, 201);
    for (const each of [name, name.replace(/:1$/, ":all")]) {
      const theirs = await docker(["manifest", "inspect", "--insecure", "-v", each]);
      assert.equal(theirs.status, 0, theirs.stderr);
      assert.equal(await ok("manifest", "inspect", "-v", each), theirs.stdout.trim());
      assert.equal(await ok("manifest", "inspect", "-v", "--insecure", each), theirs.stdout.trim());
    }
    assert.match(await ok("push", name), /Layer already exists/);
    assert.equal(await ok("push", "-q", name), name);
    assert.equal(await ok("image", "inspect", "-f", "{{.Id}}", name), id);
    await ok("rmi", name);
    await ok("pull", "-q", name);
    assert.equal(await ok("image", "inspect", "-f", "{{.Id}}", name), id);
    const none = await run(["push", `${registry.host}/cli/none`]);
    assert.equal(none.status, 1);
    assert.match(none.stderr, /An image does not exist locally with the tag[^]*Hint: .*boxship tag/);
  });

  test("copied from the engine's store and into it in skopeo's words, digests unchanged", async () => {
    await using directory = tempDir("cli-skopeo");
    const layout = directory.join("layout");
    const id = await ok("image", "inspect", "-f", "{{.Id}}", "busybox");
    await ok("skopeo", "copy", "-q", "docker-daemon:busybox:latest", `dir:${directory.join("dir")}`);
    await ok("skopeo", "copy", "-q", "containers-storage:busybox", `oci:${layout}:x`);
    const reference = await runProgram(["skopeo", "inspect", `oci:${layout}:x`]);
    assert.equal(reference.stdout.trim(), await ok("skopeo", "inspect", `oci:${layout}:x`), reference.stderr);
    await ok("skopeo", "copy", "-q", `dir:${directory.join("dir")}`, "containers-storage:copied:1");
    assert.equal(await ok("image", "inspect", "-f", "{{.Id}}", "copied:1"), id);
    assert.equal(await output("copied:1", "echo", "here"), "here");
    await ok("skopeo", "delete", "containers-storage:copied:1");
    assert.match((await run(["skopeo", "inspect", "docker-daemon:copied:1"])).stderr, /[Nn]o such image/);
  });

  test("an image of a directory, the same bytes each time", async () => {
    await using directory = tempDir("cli-from");
    await ok("create", "--name", "source", "busybox");
    await ok("export", "-o", directory.join("source.tar"), "source");
    const unpacked = await runProgram([
      "sh",
      "-c",
      'mkdir "$0/root" && tar -C "$0/root" -xf "$0/source.tar"',
      directory.path,
    ]);
    assert.equal(unpacked.status, 0, unpacked.stderr);
    const made = await ok(
      "image",
      "bootstrap",
      "--from",
      directory.join("root"),
      "--cmd=echo",
      "--cmd=from here",
      "made-from:1",
    );
    assert.equal(made, "made-from:1");
    await ok("image", "bootstrap", "--from", directory.join("root"), "--cmd=echo", "--cmd=from here", "made-from:2");
    const id = (name: string) => ok("image", "inspect", "-f", "{{.Id}}", name);
    assert.equal(await id("made-from:1"), await id("made-from:2"));
    assert.equal(await output("made-from:1"), "from here");
    const refused = await run(["image", "bootstrap", "arch"]);
    assert.match(refused.stderr, /cannot bootstrap "arch"[^]*Hint: .*alpine.*--from/);
    assert.match(
      (await run(["image", "bootstrap", "--from", directory.join("none"), "x"])).stderr,
      /there is no directory/,
    );
  });

  test("an image of the engine is described and scanned", async () => {
    await using directory = tempDir("cli-scanned");
    const tree = directory.join("root");
    for (const path of ["etc", "var/lib/dpkg"]) mkdirSync(join(tree, path), { recursive: true });
    writeFileSync(join(tree, "etc/os-release"), "ID=debian\nVERSION_ID=12\n");
    const status = "Package: openssl\nStatus: install ok installed\nArchitecture: amd64\nVersion: 3.0.11-1\n";
    writeFileSync(join(tree, "var/lib/dpkg/status"), status);
    await ok("image", "bootstrap", "--from", tree, "scanned:1");
    const ranges = [{ type: "ECOSYSTEM", events: [{ introduced: "0" }, { fixed: "3.0.13-1" }] }];
    const affected = [{ package: { ecosystem: "Debian:12", name: "openssl" }, ranges }];
    const score = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N";
    const entry = { id: "DSA-1", summary: "bad", severity: [{ type: "CVSS_V4", score }], affected };
    const db = directory.join("db.json");
    writeFileSync(db, JSON.stringify(entry));
    const found = await run(["image", "scan", `--db=${db}`, "--fail-on=critical", "scanned:1"]);
    assert.equal(found.status, 2, found.stderr);
    assert.match(found.stdout, /^openssl +3\.0\.11-1 +3\.0\.13-1 +critical +DSA-1 +bad$/m);
    const sbom = await ok("image", "sbom", "docker-daemon:scanned:1");
    assert.match(sbom, /"pkg:deb\/debian\/openssl@3\.0\.11-1/);
  });

  test("Alpine's base system is made of a mirror's signed packages, and runs; Ubuntu's needs its keyring", async () => {
    await using directory = tempDir("cli-alpine");
    const key = new ApkKeyFixture("test.rsa.pub");
    const other = new ApkKeyFixture("test.rsa.pub");
    for (const [name, { content }] of Object.entries({ "test.rsa.pub": key, "other.pub": other }))
      writeFileSync(directory.join(name), content);
    const busybox = {
      name: "busybox",
      files: [
        { name: "bin/busybox", content: readFileSync(staticBusybox()), mode: 0o755 },
        { name: "bin/sh", type: "symlink" as const, link: "busybox" },
      ],
    };
    const base = ["alpine-baselayout", "alpine-keys", "alpine-release", "apk-tools", "libc-utils", "jq"];
    const files = new Map<string, Buffer>();
    for (const [repository, packages] of [
      ["main", [busybox, ...base.map((name) => ({ name }))]],
      ["community", []],
    ] as const) {
      for (const [name, content] of apkRepository(packages, key))
        for (const arch of ["x86_64", "aarch64"]) files.set(`/v3.22/${repository}/${arch}/${name}`, content);
    }
    await using mirror = await apkMirror(files);
    const from = ["image", "bootstrap", "--mirror", mirror.address, "--release=v3.22"];
    const made = await ok(...from, "--key", directory.join("test.rsa.pub"), "--package=jq", "alpine");
    assert.equal(made, "alpine:v3.22");
    const database = ["cat", "/lib/apk/db/installed"];
    assert.match(await ok("run", "--rm", "--network=none", "alpine", "/bin/busybox", ...database), /P:jq\n/);
    const id = () => ok("image", "inspect", "-f", "{{.Id}}", "alpine:latest");
    const first = await id();
    await ok(...from, "--key", directory.join("test.rsa.pub"), "--package=jq", "alpine");
    assert.equal(await id(), first);
    for (const [words, problem] of [
      [[...from, "--key", directory.join("other.pub"), "alpine"], /not among the keys[^]*Hint: .*--key/],
      [["image", "bootstrap", "--mirror", mirror.address, "debian"], /go with ubuntu and alpine only/],
      [
        ["image", "bootstrap", "--key", directory.join("none.gpg"), "ubuntu"],
        /keyring .*none.gpg is not there[^]*Hint: /,
      ],
      [
        ["image", "bootstrap", "--key", directory.join("test.rsa.pub"), "--mirror=http://127.0.0.1:1", "ubuntu"],
        /cannot be reached[^]*Hint: .*--mirror/,
      ],
      [
        ["image", "bootstrap", "--key", directory.join("test.rsa.pub"), "--mirror", mirror.address, "ubuntu"],
        /has no release noble/,
      ],
    ] as const) {
      const { status, stderr } = await run(words);
      assert.equal(status, 1, words.join(" "));
      assert.match(stderr, problem);
    }
  });

  test("a policy lets nothing be pulled or built on that its keys have not signed", async () => {
    await using registry = await startRegistry();
    await using directory = tempDir("cli-trust");
    const env = { COSIGN_PASSWORD: "secret" };
    const name = `${registry.host}/team/app:1`;
    await ok("tag", "busybox", name);
    await ok("push", "-q", name);
    await ok("rmi", name);
    const made = await run(["key", "generate", "--output-key-prefix", directory.join("one")], { env });
    assert.equal(made.status, 0, made.stderr);
    const scopes = { [registry.host]: [{ type: "sigstoreSigned", keyPath: directory.join("one.pub") }] };
    writeFileSync(policy, JSON.stringify({ default: [ANYTHING], transports: { docker: scopes } }));
    const refused = await run(["pull", name]);
    assert.equal(refused.status, 1);
    assert.match(
      refused.stderr,
      /rejected by policy: a signature was required[^]*Hint: the entry for 127[^]*policy.json/,
    );
    const build = () => run(["build", "-q", "-t", "built:1", "-"], { input: `FROM ${name}\nCMD ["true"]\n` });
    assert.match((await build()).stderr, /rejected by policy/);
    const signed = await run(["sign", "--key", directory.join("one.key"), name], { env });
    assert.equal(signed.status, 0, signed.stderr);
    const built = await build();
    assert.equal(built.status, 0, built.stderr);
    await ok("pull", "-q", name);
    await ok("verify", "--key", directory.join("one.pub"), name);
    writeFileSync(policy, JSON.stringify({ default: [ANYTHING] }));
  });
});
