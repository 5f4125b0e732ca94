import { deepEqual, equal, match } from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { silentLogger } from "@boxship/base";
import { artifactManifest, pushBytes, pushEmpty } from "@boxship/images";
import { createRegistryClient, type Descriptor, digestOf, parseReference } from "@boxship/oci";
import { openRegistry } from "@boxship/registry";
import {
  makeTar,
  pushFixture,
  runProgram,
  startRegistry,
  type TempDir,
  type TestRegistry,
  tempDir,
} from "@boxship/testkit";
import { commandInProcess } from "../testing/in-process.ts";
import { command as attach } from "./artifact-attach.ts";
import { command as list } from "./artifact-ls.ts";
import { command as pull } from "./artifact-pull.ts";
import { command as push } from "./artifact-push.ts";
import { command as annotate } from "./manifest-annotate.ts";
import { command as create } from "./manifest-create.ts";
import { command as inspect } from "./manifest-inspect.ts";
import { command as pushList } from "./manifest-push.ts";
import { command as remove } from "./manifest-rm.ts";

const layers = [{ entries: [{ name: "file", content: "content" }] }];

/** Debian's registry has no referrers API, ours has. */
describe("artifacts and manifest lists in registries", () => {
  let stock: TestRegistry;
  let directory: TempDir;
  let own: Awaited<ReturnType<typeof openRegistry>>;
  let hosts: readonly string[];

  before(async () => {
    directory = tempDir("artifact");
    stock = await startRegistry();
    own = await openRegistry({ root: directory.join("registry"), logger: silentLogger });
    own.server.listen(0, "127.0.0.1");
    await once(own.server, "listening");
    hosts = [stock.host, `127.0.0.1:${(own.server.address() as AddressInfo).port}`];
    await pushFixture(stock, "team/app:amd64", { architecture: "amd64", layers });
    await pushFixture(stock, "team/app:arm64", { architecture: "arm64", layers });
    await pushFixture(stock, "other/app:s390x", { architecture: "s390x", layers });
    writeFileSync(directory.join("notes.txt"), "notes\n");
    writeFileSync(directory.join("bom.json"), "{}\n");
  });
  after(async () => {
    own?.server.close();
    own?.server.closeAllConnections();
    await own?.[Symbol.asyncDispose]();
    await stock?.[Symbol.asyncDispose]();
    await directory?.[Symbol.asyncDispose]();
  });

  test("files are pushed, attached, listed and pulled, with and without the referrers API", async () => {
    for (const host of hosts) {
      const name = `${host}/team/files:1`;
      const pushed = await commandInProcess(push, [
        "--artifact-type=application/vnd.test.notes",
        "-a=who=me",
        name,
        `${directory.join("notes.txt")}:text/plain`,
        directory.join("bom.json"),
      ]);
      match(
        pushed.stdout,
        /Pushed .*team\/files:1\nArtifactType: application\/vnd.test.notes\nDigest: sha256:/,
        pushed.stderr,
      );
      for (const type of ["application/vnd.test.a", "application/vnd.test.b"]) {
        const attached = await commandInProcess(attach, [`--artifact-type=${type}`, name, directory.join("bom.json")]);
        equal(attached.status, 0, attached.stderr);
      }
      const all = JSON.parse((await commandInProcess(list, ["--format=json", name])).stdout) as {
        referrers: readonly Descriptor[];
      };
      deepEqual(
        all.referrers.map((entry) => entry.artifactType ?? "").toSorted((a, b) => a.localeCompare(b)),
        ["application/vnd.test.a", "application/vnd.test.b"],
      );
      const some = await commandInProcess(list, ["--artifact-type=application/vnd.test.b", name]);
      match(some.stdout, /^ARTIFACT TYPE +DIGEST +SIZE\napplication\/vnd.test.b +sha256:/);
      const target = directory.join(`pulled-${host}`);
      const pulled = await commandInProcess(pull, ["-o", target, name]);
      match(pulled.stdout, /Downloaded notes.txt\nDownloaded bom.json\n/, pulled.stderr);
      equal(readFileSync(`${target}/notes.txt`, "utf8"), "notes\n");
      const raw = await runProgram(["skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${name}`]);
      const manifest = JSON.parse(raw.stdout) as { config: Descriptor; layers: Descriptor[]; annotations: unknown };
      equal(manifest.config.mediaType, "application/vnd.oci.empty.v1+json");
      deepEqual(
        manifest.layers.map(({ mediaType }) => mediaType),
        ["text/plain", "application/vnd.oci.image.layer.v1.tar"],
      );
      deepEqual(manifest.annotations, { who: "me" });
    }
  });

  test("what leaves the directory, has no subject, or is no file is refused", async () => {
    const [host = ""] = hosts;
    await using client = createRegistryClient();
    const reference = parseReference(`${host}/team/evil:1`);
    await pushEmpty(client, reference);
    const empty = Buffer.from("{}");
    for (const title of ["../evil", "/etc/evil", "a/../../evil", "", ".", "dir/", "a\0b"]) {
      const layer: Descriptor = {
        mediaType: "text/plain",
        digest: digestOf(empty),
        size: empty.length,
        annotations: { "org.opencontainers.image.title": title },
      };
      await client.putManifest(reference, artifactManifest({ artifactType: "application/x", layers: [layer] }));
      const pulled = await commandInProcess(pull, ["-o", directory.join("evil"), `${host}/team/evil:1`]);
      equal(pulled.status, 1, JSON.stringify(title));
      match(pulled.stderr, /leaves the directory/);
    }
    const missing = await commandInProcess(attach, [
      "--artifact-type=a/b",
      `${host}/team/none:1`,
      directory.join("bom.json"),
    ]);
    match(missing.stderr, /manifest for .*team\/none:1 not found/);
    const device = await commandInProcess(push, [`${host}/team/x:1`, "/dev/null"]);
    match(device.stderr, /neither a file nor a directory/);
    match((await commandInProcess(push, [`${host}/team/x:1`, directory.join("absent")])).stderr, /no such file/);
  });

  test("directories are pushed as archives that are unpacked where they are pulled, and nowhere else", async () => {
    const [host = ""] = hosts;
    const folder = directory.join("folder");
    mkdirSync(`${folder}/sub`, { recursive: true });
    writeFileSync(`${folder}/sub/script`, "#!/bin/sh\n", { mode: 0o755 });
    writeFileSync(`${folder}/ünï`, "x");
    symlinkSync("sub/script", `${folder}/link`);
    const name = `${host}/team/folder:1`;
    const pushed = await commandInProcess(push, [name, folder, directory.join("notes.txt")]);
    equal(pushed.status, 0, pushed.stderr);
    const raw = await runProgram(["skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${name}`]);
    const [layer] = (JSON.parse(raw.stdout) as { layers: Descriptor[] }).layers;
    equal(layer?.mediaType, "application/vnd.oci.image.layer.v1.tar+gzip");
    equal(layer.annotations?.["io.deis.oras.content.unpack"], "true");
    const target = directory.join("folder-pulled");
    const pulled = await commandInProcess(pull, ["-o", target, name]);
    equal(pulled.status, 0, pulled.stderr);
    const compared = await runProgram(["diff", "-r", "--no-dereference", folder, `${target}/folder`]);
    deepEqual([compared.status, compared.stdout], [0, ""]);
    equal(statSync(`${target}/folder/sub/script`).mode & 0o777, 0o755);
    equal(readFileSync(`${target}/notes.txt`, "utf8"), "notes\n");
    // Its archive holds the name of another.
    await using client = createRegistryClient();
    const reference = parseReference(`${host}/team/sly:1`);
    const archive = gzipSync(makeTar([{ name: "notes.txt", content: "changed" }]));
    const part = { ...layer, digest: digestOf(archive), size: archive.length };
    await pushBytes(client, reference, part, archive);
    await pushEmpty(client, reference);
    const manifest = artifactManifest({ artifactType: "x/y", layers: [part], annotations: {} });
    await client.putManifest(reference, manifest);
    const sly = await commandInProcess(pull, ["-o", target, `${host}/team/sly:1`]);
    match(sly.stderr, /the archive of "folder" in the artifact holds "notes.txt"/);
    equal(readFileSync(`${target}/notes.txt`, "utf8"), "notes\n");
  });

  test("links that an artifact brings lead none of its files out of the directory", async () => {
    const [host = ""] = hosts;
    await using client = createRegistryClient();
    const reference = parseReference(`${host}/team/links:1`);
    const outside = directory.join("outside");
    mkdirSync(outside);
    const links = gzipSync(
      makeTar([
        { name: "folder/", type: "directory" },
        { name: "folder/out", type: "symlink", link: outside },
      ]),
    );
    const content = Buffer.from("was here");
    const part = (bytes: Uint8Array, annotations: Record<string, string>) => ({
      mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
      digest: digestOf(bytes),
      size: bytes.byteLength,
      annotations,
    });
    const title = "org.opencontainers.image.title";
    const parts: readonly [Uint8Array, Descriptor][] = [
      [links, part(links, { [title]: "folder", "io.deis.oras.content.unpack": "true" })],
      [content, part(content, { [title]: "folder/out/file" })],
    ];
    for (const [bytes, descriptor] of parts) await pushBytes(client, reference, descriptor, bytes);
    await pushEmpty(client, reference);
    const manifest = artifactManifest({ artifactType: "x/y", layers: parts.map(([, descriptor]) => descriptor) });
    await client.putManifest(reference, manifest);
    for (const time of ["once", "again"]) {
      const pulled = await commandInProcess(pull, ["-o", directory.join("linked"), `${host}/team/links:1`]);
      equal(pulled.status, 1, time);
      deepEqual(readdirSync(outside), [], time);
      match(pulled.stderr, /leaves the directory/, time);
    }
  });

  test("a list of images of several platforms is created, annotated and pushed", async () => {
    const env = { ...process.env, DOCKER_CONFIG: directory.join("docker") };
    const run = (command: Parameters<typeof commandInProcess>[0], ...args: string[]) =>
      commandInProcess(command, args, { env });
    const at = (name: string) => `${stock.host}/${name}`;
    const made = await run(create, at("team/app:all"), at("team/app:amd64"), at("team/app:arm64"));
    equal(made.stdout, `Created manifest list ${at("team/app:all")}\n`, made.stderr);
    match((await run(create, at("team/app:all"), at("other/app:s390x"))).stderr, /refusing to amend/);
    equal((await run(create, "--amend", at("team/app:all"), at("other/app:s390x"))).status, 0);
    equal((await run(annotate, "--variant=v8", at("team/app:all"), at("team/app:arm64"))).status, 0);
    match((await run(annotate, "--variant=v8", at("team/app:all"), at("team/app:none"))).stderr, /does not exist/);
    for (const [flag, said] of [
      ["--os=beos", "beos/"],
      ["--arch=vax", "/vax"],
      ["--os=constructor", "constructor/"],
    ] as const) {
      const { status, stderr } = await run(annotate, flag, at("team/app:all"), at("team/app:arm64"));
      match(stderr, new RegExp(`unsupported os/arch combination: ${said}$`, "m"));
      equal(status, 1);
    }
    const shown = JSON.parse((await run(inspect, at("team/app:all"))).stdout) as { manifests: Descriptor[] };
    const pushed = await run(pushList, "--purge", at("team/app:all"));
    equal(pushed.status, 0, pushed.stderr);
    const raw = await runProgram([
      "skopeo",
      "inspect",
      "--raw",
      "--tls-verify=false",
      `docker://${at("team/app:all")}`,
    ]);
    deepEqual(JSON.parse(raw.stdout), shown);
    deepEqual(
      shown.manifests.map(({ platform }) => platform),
      [
        { architecture: "amd64", os: "linux" },
        { architecture: "arm64", os: "linux", variant: "v8" },
        { architecture: "s390x", os: "linux" },
      ],
    );
    // The image of the other repository came along.
    for (const arch of ["amd64", "arm64", "s390x"]) {
      const one = await runProgram([
        "skopeo",
        `--override-arch=${arch}`,
        "inspect",
        "--tls-verify=false",
        "--format={{.Architecture}}",
        `docker://${at("team/app:all")}`,
      ]);
      equal(one.stdout, `${arch}\n`, one.stderr);
    }
    match((await run(remove, at("team/app:all"))).stderr, /No such manifest/);
    match((await run(create, at("team/app:x"), at("team/app:all"))).stderr, /is a manifest list/);
  });
});
