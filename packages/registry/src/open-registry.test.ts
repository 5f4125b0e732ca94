import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { runProgram, startDockerd, tempDir } from "@boxship/testkit";
import { listenForTest, pushBlob, pushImage, type RegistryUnderTest, sha256 } from "./testing/registry-under-test.ts";

const errorOf = async (response: Response) => {
  const { errors } = (await response.json()) as { errors: readonly { code: string; message: string }[] };
  return [response.status, errors[0]?.code];
};

describe("a registry", () => {
  let under: RegistryUnderTest;
  let url: string;
  let count = 0;
  const fresh = () => `test/repo-${count++}`;
  before(async () => {
    under = await listenForTest();
    url = under.url;
  });
  after(() => under?.[Symbol.asyncDispose]());

  test("says that it is one", async () => {
    const answer = await fetch(`${url}/`);
    assert.deepEqual(
      [answer.status, answer.headers.get("docker-distribution-api-version"), await answer.json()],
      [200, "registry/2.0", {}],
    );
  });

  test("a blob goes in and comes out, whole and in part", async () => {
    const repository = fresh();
    const bytes = randomBytes(1_000_000);
    const digest = await pushBlob(url, repository, bytes);
    const path = `${url}/${repository}/blobs/${digest}`;
    const whole = await fetch(path);
    assert.deepEqual(
      [whole.status, whole.headers.get("docker-content-digest"), whole.headers.get("content-length")],
      [200, digest, "1000000"],
    );
    assert.equal(sha256(Buffer.from(await whole.arrayBuffer())), digest);
    const head = await fetch(path, { method: "HEAD" });
    assert.deepEqual([head.status, head.headers.get("content-length"), await head.text()], [200, "1000000", ""]);
    const ranges: readonly (readonly [string, number, number])[] = [
      ["bytes=0-9", 0, 10],
      ["bytes=999990-", 999_990, 1_000_000],
      ["bytes=-5", 999_995, 1_000_000],
      ["bytes=500000-2000000", 500_000, 1_000_000],
    ];
    for (const [range, start, end] of ranges) {
      const part = await fetch(path, { headers: { range } });
      assert.deepEqual(
        [part.status, part.headers.get("content-range")],
        [206, `bytes ${start}-${end - 1}/1000000`],
        range,
      );
      assert.deepEqual(Buffer.from(await part.arrayBuffer()), bytes.subarray(start, end), range);
    }
    assert.equal((await fetch(path, { headers: { range: "bytes=1000000-" } })).status, 416);
    assert.equal((await fetch(path, { headers: { "if-none-match": `"${digest}"` } })).status, 304);
    assert.deepEqual(await errorOf(await fetch(`${url}/${fresh()}/blobs/${digest}`)), [404, "BLOB_UNKNOWN"]);
    assert.deepEqual(await errorOf(await fetch(`${url}/${repository}/blobs/sha256:12`)), [400, "DIGEST_INVALID"]);
  });

  test("an upload in pieces goes on where it is, and nowhere else", async () => {
    const repository = fresh();
    const bytes = randomBytes(30_000);
    const begun = await fetch(`${url}/${repository}/blobs/uploads/`, { method: "POST" });
    assert.deepEqual([begun.status, begun.headers.get("range")], [202, "0-0"]);
    const location = new URL(begun.headers.get("location") ?? "", url);
    const patch = (from: number, to: number, range = `${from}-${to - 1}`) =>
      fetch(location, { method: "PATCH", body: bytes.subarray(from, to), headers: { "content-range": range } });
    const first = await patch(0, 10_000);
    assert.deepEqual([first.status, first.headers.get("range")], [202, "0-9999"]);
    const wrong = await patch(20_000, 30_000);
    assert.deepEqual([wrong.status, wrong.headers.get("range")], [416, "0-9999"]);
    assert.equal((await patch(10_000, 20_000)).status, 202);
    const status = await fetch(location);
    assert.deepEqual([status.status, status.headers.get("range")], [204, "0-19999"]);
    location.searchParams.set("digest", sha256(bytes));
    const done = await fetch(location, { method: "PUT", body: bytes.subarray(20_000) });
    assert.deepEqual([done.status, done.headers.get("docker-content-digest")], [201, sha256(bytes)]);
    assert.deepEqual(await errorOf(await fetch(location)), [404, "BLOB_UPLOAD_UNKNOWN"]);
    const cancelled = await fetch(`${url}/${repository}/blobs/uploads/`, { method: "POST" });
    const other = new URL(cancelled.headers.get("location") ?? "", url);
    assert.equal((await fetch(other, { method: "DELETE" })).status, 204);
    assert.deepEqual(await errorOf(await fetch(other)), [404, "BLOB_UPLOAD_UNKNOWN"]);
  });

  test("a blob in a single request, with another algorithm, and with a wrong digest", async () => {
    const repository = fresh();
    const post = (body: string, digest: string) =>
      fetch(`${url}/${repository}/blobs/uploads/?digest=${encodeURIComponent(digest)}`, { method: "POST", body });
    assert.equal((await post("one", sha256("one"))).status, 201);
    const long = `sha512:${createHash("sha512").update("two").digest("hex")}`;
    assert.equal((await post("two", long)).status, 201);
    assert.equal(await (await fetch(`${url}/${repository}/blobs/${long}`)).text(), "two");
    assert.deepEqual(await errorOf(await post("three", sha256("four"))), [400, "DIGEST_INVALID"]);
    assert.deepEqual(await errorOf(await post("three", "md5:12")), [400, "DIGEST_INVALID"]);
    assert.equal((await fetch(`${url}/${repository}/blobs/${sha256("four")}`)).status, 404);
  });

  test("a blob is mounted from where it is, and pushed where it is not", async () => {
    const [from, to] = [fresh(), fresh()];
    const digest = await pushBlob(url, from, "to be mounted");
    const mount = (source: string) =>
      fetch(`${url}/${to}/blobs/uploads/?mount=${digest}&from=${source}`, { method: "POST" });
    assert.equal((await mount("test/nowhere")).status, 202);
    assert.equal((await mount(from)).status, 201);
    assert.equal((await fetch(`${url}/${to}/blobs/${digest}`, { method: "HEAD" })).status, 200);
  });

  test("a manifest needs what it names", async () => {
    const repository = fresh();
    const digest = await pushImage(url, repository, "v1");
    const tagged = await fetch(`${url}/${repository}/manifests/v1`);
    assert.deepEqual(
      [tagged.headers.get("docker-content-digest"), tagged.headers.get("content-type")],
      [digest, "application/vnd.oci.image.manifest.v1+json"],
    );
    const bytes = Buffer.from(await tagged.arrayBuffer());
    assert.equal(sha256(bytes), digest);
    const put = (to: string, reference: string, body: Buffer | string, type?: string) =>
      fetch(`${url}/${to}/manifests/${reference}`, {
        method: "PUT",
        body,
        ...(type !== undefined && { headers: { "content-type": type } }),
      });
    assert.deepEqual(await errorOf(await put(fresh(), "v1", bytes)), [400, "MANIFEST_BLOB_UNKNOWN"]);
    assert.deepEqual(await errorOf(await put(repository, sha256("x"), bytes)), [400, "DIGEST_INVALID"]);
    assert.deepEqual(await errorOf(await put(repository, "v2", "{")), [400, "MANIFEST_INVALID"]);
    assert.deepEqual(await errorOf(await put(repository, "v2", Buffer.alloc(5_000_000))), [413, "SIZE_INVALID"]);
    assert.deepEqual(await errorOf(await put(repository, ".v2", bytes)), [400, "TAG_INVALID"]);
    assert.deepEqual(await errorOf(await put("Upper", "v2", bytes)), [400, "NAME_INVALID"]);
    const index = (child: string) =>
      JSON.stringify({
        schemaVersion: 2,
        mediaType: "application/vnd.oci.image.index.v1+json",
        manifests: [{ mediaType: "application/vnd.oci.image.manifest.v1+json", digest: child, size: bytes.length }],
      });
    assert.equal((await put(repository, "all", index(digest))).status, 201);
    assert.deepEqual(await errorOf(await put(repository, "all", index(sha256("x")))), [400, "MANIFEST_BLOB_UNKNOWN"]);
    assert.deepEqual(await errorOf(await fetch(`${url}/${repository}/manifests/none`)), [404, "MANIFEST_UNKNOWN"]);
  });

  test("tags and repositories are listed in parts", async () => {
    const repository = fresh();
    for (const tag of ["b", "a", "c"]) await pushImage(url, repository, tag);
    const list = async (query: string) => {
      const answer = await fetch(`${url}/${repository}/tags/list${query}`);
      return [((await answer.json()) as { tags: string[] }).tags, answer.headers.get("link")];
    };
    assert.deepEqual(await list(""), [["a", "b", "c"], null]);
    assert.deepEqual(await list("?n=2"), [["a", "b"], `</v2/${repository}/tags/list?n=2&last=b>; rel="next"`]);
    assert.deepEqual(await list("?n=2&last=b"), [["c"], null]);
    assert.deepEqual(await list("?n=0"), [[], null]);
    assert.equal((await fetch(`${url}/${repository}/tags/list?n=x`)).status, 400);
    assert.deepEqual(await errorOf(await fetch(`${url}/test/none/tags/list`)), [404, "NAME_UNKNOWN"]);
    const { repositories } = (await (await fetch(`${url}/_catalog`)).json()) as { repositories: string[] };
    assert.ok(repositories.includes(repository));
  });

  test("referrers are told, by their type, and gone with their manifest", async () => {
    const repository = fresh();
    const digest = await pushImage(url, repository, "v1");
    const subject = { mediaType: "application/vnd.oci.image.manifest.v1+json", digest, size: 1 };
    const about = await pushImage(url, repository, "", {
      subject,
      artifactType: "application/example",
      annotations: { "org.example": "yes" },
    });
    const list = async (query = "") => {
      const answer = await fetch(`${url}/${repository}/referrers/${digest}${query}`);
      const { manifests } = (await answer.json()) as { manifests: Record<string, unknown>[] };
      return [manifests, answer.headers.get("oci-filters-applied"), answer.headers.get("content-type")] as const;
    };
    const [found, applied, type] = await list();
    assert.deepEqual([found.length, applied, type], [1, null, "application/vnd.oci.image.index.v1+json"]);
    assert.deepEqual(
      [found[0]?.["digest"], found[0]?.["artifactType"], found[0]?.["annotations"]],
      [about, "application/example", { "org.example": "yes" }],
    );
    assert.deepEqual((await list("?artifactType=application/other")).slice(0, 2), [[], "artifactType"]);
    assert.equal((await fetch(`${url}/${repository}/manifests/${about}`, { method: "DELETE" })).status, 202);
    assert.deepEqual((await list())[0], []);
  });

  test("deleting a manifest takes its tags, deleting a tag takes only that", async () => {
    const repository = fresh();
    const digest = await pushImage(url, repository, "one");
    await pushImage(url, repository, "two");
    const gone = async (reference: string) => {
      const { status } = await fetch(`${url}/${repository}/manifests/${reference}`, { method: "DELETE" });
      return [status, (await fetch(`${url}/${repository}/manifests/${reference}`)).status];
    };
    assert.deepEqual(await gone("one"), [202, 404]);
    assert.equal((await fetch(`${url}/${repository}/manifests/two`)).status, 200);
    assert.deepEqual(await gone(digest), [202, 404]);
    assert.equal((await fetch(`${url}/${repository}/manifests/two`)).status, 404);
  });

  test("an upload that is cut off keeps what arrived", async () => {
    const repository = fresh();
    const bytes = randomBytes(200_000);
    const begun = await fetch(`${url}/${repository}/blobs/uploads/`, { method: "POST" });
    const location = new URL(begun.headers.get("location") ?? "", url);
    const socket = connect(under.port, "127.0.0.1");
    socket.write(`PATCH ${location.pathname} HTTP/1.1\r\nhost: x\r\ncontent-length: ${bytes.length}\r\n\r\n`);
    socket.write(bytes.subarray(0, 100_000));
    await delay(200);
    socket.destroy();
    let offset = 0;
    for (let tries = 0; offset === 0 && tries < 50; tries++) {
      await delay(20);
      const range = (await fetch(location)).headers.get("range");
      offset = range === null ? 0 : Number(range.split("-")[1]) + 1;
    }
    assert.equal(offset, 100_000);
    location.searchParams.set("digest", sha256(bytes));
    assert.equal((await fetch(location, { method: "PUT", body: bytes.subarray(offset) })).status, 201);
  });

  test("two who push the same blob at once both succeed", async () => {
    const repository = fresh();
    const bytes = randomBytes(500_000);
    const digests = await Promise.all(Array.from({ length: 8 }, () => pushBlob(url, repository, bytes)));
    assert.equal(new Set(digests).size, 1);
  });

  test("paths that are none are refused", async () => {
    for (const path of ["/v1/", "/v2/../etc", "/v2/%zz/tags/list", "/v2/a//b/tags/list", "/v2/a/blobs/uploads"]) {
      const { status } = await fetch(`http://${under.host}${path}`);
      assert.ok(status === 404 || status === 400 || status === 405, `${path}: ${status}`);
    }
    const wrong = await fetch(`${url}/test/x/tags/list`, { method: "POST" });
    assert.deepEqual([wrong.status, wrong.headers.get("allow")], [405, "GET, HEAD"]);
  });

  test("skopeo copies images in, between and out", async () => {
    await using directory = tempDir("skopeo");
    await pushImage(url, "skopeo/source", "v1");
    const copied = await runProgram([
      "skopeo",
      "copy",
      "--src-tls-verify=false",
      "--dest-tls-verify=false",
      `docker://${under.host}/skopeo/source:v1`,
      `docker://${under.host}/skopeo/target:v1`,
    ]);
    assert.equal(copied.status, 0, copied.stderr);
    const out = await runProgram([
      "skopeo",
      "copy",
      "--src-tls-verify=false",
      `docker://${under.host}/skopeo/target:v1`,
      `oci:${directory.join("layout")}:v1`,
    ]);
    assert.equal(out.status, 0, out.stderr);
    const tags = await runProgram([
      "skopeo",
      "list-tags",
      "--tls-verify=false",
      `docker://${under.host}/skopeo/target`,
    ]);
    assert.match(tags.stdout, /"v1"/);
    const deleted = await runProgram([
      "skopeo",
      "delete",
      "--tls-verify=false",
      `docker://${under.host}/skopeo/target:v1`,
    ]);
    assert.equal(deleted.status, 0, deleted.stderr);
  });
});

test("everything is there after a new start, unfinished uploads too", async () => {
  await using directory = tempDir("registry");
  const first = await listenForTest({}, directory.path);
  const digest = await pushImage(first.url, "kept", "v1");
  const begun = await fetch(`${first.url}/kept/blobs/uploads/`, { method: "POST" });
  const path = begun.headers.get("location") ?? "";
  await fetch(new URL(path, first.url), { method: "PATCH", body: "half " });
  await using again = await first.restart();
  const manifest = await fetch(`${again.url}/kept/manifests/v1`);
  assert.equal(manifest.headers.get("docker-content-digest"), digest);
  const location = new URL(path, again.url);
  assert.equal((await fetch(location)).headers.get("range"), "0-4");
  location.searchParams.set("digest", sha256("half and half"));
  assert.equal((await fetch(location, { method: "PUT", body: "and half" })).status, 201);
});

test("garbage goes, what is needed stays, and pushing goes on meanwhile", async () => {
  await using under = await listenForTest();
  const { url, registry } = under;
  await pushImage(url, "kept", "v1");
  const digest = await pushImage(url, "gone", "v1");
  const alone = await pushBlob(url, "kept", "never named by a manifest");
  await fetch(`${url}/gone/manifests/${digest}`, { method: "DELETE" });
  assert.deepEqual(await registry.collectGarbage(), { manifests: 0, links: 0, blobs: 0, freed: 0 });
  const pushing = Promise.all(Array.from({ length: 10 }, (_, index) => pushImage(url, `new/${index}`, "v1")));
  const would = await registry.collectGarbage({ grace: 60_000, dryRun: true });
  assert.deepEqual(would, { manifests: 0, links: 0, blobs: 0, freed: 0 });
  await pushing;
  await delay(5);
  const { links, blobs, freed } = await registry.collectGarbage({ grace: 0 });
  assert.deepEqual([links, blobs > 0, freed > 0], [3, true, true]);
  assert.equal((await fetch(`${url}/kept/blobs/${alone}`)).status, 404);
  for (const repository of ["kept", ...Array.from({ length: 10 }, (_, index) => `new/${index}`)]) {
    const manifest = await (await fetch(`${url}/${repository}/manifests/v1`)).json();
    const { config, layers } = manifest as { config: { digest: string }; layers: { digest: string }[] };
    for (const blob of [config, ...layers]) {
      assert.equal((await fetch(`${url}/${repository}/blobs/${blob.digest}`)).status, 200, repository);
    }
  }
  await pushImage(url, "kept", "v1", { annotations: { second: "yes" } });
  await delay(5);
  assert.equal((await registry.collectGarbage({ grace: 0, untagged: true })).manifests, 1);
  assert.equal((await fetch(`${url}/kept/manifests/v1`)).status, 200);
});

test("immutable tags stay, and without deletion nothing goes", async () => {
  await using under = await listenForTest({ immutableTags: true, deletion: false });
  await pushImage(under.url, "kept", "v1");
  await pushImage(under.url, "kept", "v1");
  await assert.rejects(pushImage(under.url, "kept", "v1", { annotations: { a: "b" } }), /409 .*do not change here/);
  const { status } = await fetch(`${under.url}/kept/manifests/v1`, { method: "DELETE" });
  assert.equal(status, 405);
});

test("dockerd pushes to it and pulls from it", { timeout: 120_000 }, async () => {
  await using under = await listenForTest();
  await using dockerd = await startDockerd({ isolated: false, flags: ["--bridge=none", "--iptables=false"] });
  await using directory = tempDir("docker-push");
  const docker = (...args: string[]) => runProgram(["docker", "-H", `unix://${dockerd.socketPath}`, ...args]);
  await runProgram([
    "sh",
    "-c",
    `echo hello > ${directory.path}/file; tar -C ${directory.path} -cf ${directory.path}.tar file`,
  ]);
  const reference = `${under.host}/docker/image:v1`;
  const imported = await docker("import", `${directory.path}.tar`, reference);
  await runProgram(["rm", "-f", `${directory.path}.tar`]);
  assert.equal(imported.status, 0, imported.stderr);
  const pushed = await docker("push", reference);
  assert.equal(pushed.status, 0, pushed.stderr);
  assert.equal((await docker("rmi", reference)).status, 0);
  const pulled = await docker("pull", reference);
  assert.equal(pulled.status, 0, pulled.stderr);
});
