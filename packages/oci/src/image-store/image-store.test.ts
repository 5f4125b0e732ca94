import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { FailedPrecondition, FakeClock, InvalidArgument, NotFound, ResourceExhausted } from "@boxship/base";
import { mount, UnmountFlag, unmount } from "@boxship/kernel";
import type { ContentStore } from "../content-store/contract.ts";
import { openContentStore } from "../content-store/filesystem.ts";
import { type Digest, digestHex, digestOf } from "../digest.ts";
import { MediaType } from "../media-types.ts";
import { parseReference } from "../reference.ts";
import type { ImageRecord, ImageStore } from "./contract.ts";
import { openImageStore } from "./image-store.ts";

interface Stores {
  readonly root: string;
  readonly content: ContentStore;
  readonly images: ImageStore;
  readonly clock: FakeClock;
}

async function stores(t: TestContext, existing?: string): Promise<Stores> {
  const root = existing ?? (await mkdtemp(join(tmpdir(), "boxship-images-")));
  if (existing === undefined) t.after(() => rm(root, { recursive: true, force: true }));
  const clock = new FakeClock(1000);
  const content = await openContentStore({ root: join(root, "content") });
  const images = await openImageStore({ root: join(root, "images"), content, clock });
  return { root, content, images, clock };
}

/** An image with one layer whose content is `text`. */
async function addImage(s: Stores, text: string, ...tags: readonly string[]): Promise<ImageRecord> {
  const layer = await s.content.put(Buffer.from(text));
  await s.clock.advance(1);
  return s.images.addFromLayers({
    config: { architecture: "amd64", os: "linux", config: { Env: [`TEXT=${text}`] } },
    layers: [{ descriptor: { mediaType: MediaType.OciLayer, ...layer }, diffId: digestOf(text) }],
    size: text.length,
    tags: tags.map(parseReference),
  });
}

test("an image is found by its names, its id and the beginning of its id, also after a new start", async (t) => {
  const s = await stores(t);
  const added = await addImage(s, "one", "app", "quay.io/team/app:v1");
  assert.deepEqual(added.repoTags, ["app:latest", "quay.io/team/app:v1"]);
  assert.equal(added.size, 3);
  assert.deepEqual(added.config.rootfs.diff_ids, [digestOf("one")]);
  await s.images[Symbol.asyncDispose]();
  const { images } = await stores(t, s.root);
  const hex = digestHex(added.id);
  for (const text of [
    "app",
    "app:latest",
    "docker.io/library/app",
    "quay.io/team/app:v1",
    hex,
    added.id,
    hex.slice(0, 12),
  ]) {
    assert.deepEqual(images.resolve(text), added);
  }
  assert.deepEqual(images.resolve(`sha256:${hex.slice(0, 8)}`), added);
  assert.equal(images.resolve(digestHex(added.manifest.digest).slice(0, 12)).id, added.id);
  assert.deepEqual(images.list(), [added]);
});

test("what is not there is said as Docker says it", async (t) => {
  const { images } = await stores(t);
  for (const [text, message] of [
    ["app", "No such image: app:latest"],
    ["quay.io/app:v1", "No such image: quay.io/app:v1"],
    ["sha256:abcdef", "No such image: sha256:abcdef"],
    ["abcdef123456", "No such image: abcdef123456:latest"],
    ["a".repeat(64), `No such image: ${"a".repeat(64)}`],
  ] as const) {
    assert.throws(
      () => images.resolve(text),
      (error: unknown) => {
        assert.ok(error instanceof NotFound);
        assert.equal(error.message, message);
        return true;
      },
    );
  }
  assert.throws(() => images.resolve("App"), InvalidArgument);
});

test("a tag moves, and leaves its former image dangling", async (t) => {
  const s = await stores(t);
  const one = await addImage(s, "one", "app:v1");
  const two = await addImage(s, "two", "app:v1");
  assert.equal(s.images.resolve("app:v1").id, two.id);
  assert.deepEqual(s.images.get(one.id)?.repoTags, []);
  assert.deepEqual(
    s.images.list().map((image) => image.id),
    [two.id, one.id],
  );
  const tagged = await s.images.tag(one.id, parseReference("old"));
  assert.deepEqual(tagged.repoTags, ["old:latest"]);
  await assert.rejects(s.images.tag(digestOf("none"), parseReference("x")), NotFound);
});

test("names are taken away one by one, an image with all of them", async (t) => {
  const s = await stores(t);
  const one = await addImage(s, "one", "a:1", "b:1");
  assert.equal(await s.images.untag(parseReference("a:1")), true);
  assert.equal(await s.images.untag(parseReference("a:1")), false);
  assert.deepEqual(s.images.get(one.id)?.repoTags, ["b:1"]);
  assert.equal(await s.images.remove(one.id), true);
  assert.equal(await s.images.remove(one.id), false);
  assert.throws(() => s.images.resolve("b:1"), NotFound);
  assert.equal(s.images.references().size, 0);
});

test("registry digests are names too", async (t) => {
  const s = await stores(t);
  const one = await addImage(s, "one");
  const root = digestOf("the index");
  const reference = parseReference(`quay.io/app:v1@${root}`);
  const again = await s.images.add({
    manifest: one.manifest,
    size: one.size,
    tags: [parseReference("quay.io/app:v1")],
    digests: [reference],
  });
  assert.deepEqual(again.repoDigests, [`quay.io/app@${root}`]);
  assert.deepEqual(again.repoTags, ["quay.io/app:v1"]);
  assert.equal(again.added, one.added);
  assert.equal(s.images.resolve(`quay.io/app@${root}`).id, one.id);
  assert.equal(s.images.resolve(`quay.io/app:other@${root}`).id, one.id);
});

test("short names are looked for in the configured registries", async (t) => {
  const s = await stores(t);
  const one = await addImage(s, "one", "quay.io/app:v1");
  const images = await openImageStore({
    root: join(s.root, "images"),
    content: s.content,
    searchRegistries: ["docker.io", "quay.io"],
  });
  assert.equal(images.resolve("app:v1").id, one.id);
});

test("a beginning that fits two ids is refused", async (t) => {
  const s = await stores(t);
  const ids: Digest[] = [];
  for (let n = 0; n < 40; n++) ids.push((await addImage(s, `image ${n}`)).id);
  const prefixes = ids.map((id) => digestHex(id).slice(0, 2));
  const twice = prefixes.find((prefix, n) => prefixes.indexOf(prefix) !== n);
  if (twice === undefined) return t.skip("no two of these ids begin alike");
  assert.throws(() => s.images.resolve(`sha256:${twice}`), /is ambiguous/);
});

test("a sweep keeps what images need, and takes the rest", async (t) => {
  const s = await stores(t);
  const one = await addImage(s, "one", "a:1");
  const two = await addImage(s, "two", "b:1");
  const stray = await s.content.put(Buffer.from("stray"));
  const sweep = () => s.content.sweep((digest) => s.images.references().has(digest));
  assert.equal((await sweep()).removed, 1);
  assert.equal(await s.content.stat(stray.digest), undefined);
  await s.images.remove(one.id);
  assert.equal((await sweep()).removed, 3);
  for (const digest of [two.id, two.manifest.digest, two.layers[0]?.digest ?? two.id])
    assert.ok(await s.content.stat(digest));
});

test("an image without its content is not recorded", async (t) => {
  const s = await stores(t);
  const missing = { mediaType: MediaType.OciManifest, digest: digestOf("none"), size: 4 };
  await assert.rejects(s.images.add({ manifest: missing, size: 0 }), FailedPrecondition);
  const layer = { mediaType: MediaType.OciLayer, digest: digestOf("gone"), size: 4 };
  const config = { architecture: "amd64", os: "linux" };
  const layers = [{ descriptor: layer, diffId: digestOf("gone") }];
  await assert.rejects(s.images.addFromLayers({ config, layers, size: 0 }), FailedPrecondition);
  assert.deepEqual(s.images.list(), []);
});

test("use is remembered", async (t) => {
  const s = await stores(t);
  const one = await addImage(s, "one", "a");
  assert.equal(one.lastUsed, undefined);
  await s.clock.advance(500);
  s.images.touch(one.id);
  assert.equal(s.images.get(one.id)?.lastUsed, s.clock.now());
  await s.images[Symbol.asyncDispose]();
  const { images } = await stores(t, s.root);
  assert.equal(images.resolve("a").lastUsed, s.clock.now());
});

test("many changes at once are all kept", async (t) => {
  const s = await stores(t);
  const one = await addImage(s, "one");
  const names = Array.from({ length: 200 }, (_, n) => parseReference(`app:v${n}`));
  await Promise.all(names.map((name) => s.images.tag(one.id, name)));
  await Promise.all(names.slice(0, 100).map((name) => s.images.untag(name)));
  const { images } = await stores(t, s.root);
  assert.equal(images.get(one.id)?.repoTags.length, 100);
});

test("a full disk changes nothing", async (t) => {
  const root = await mkdtemp(join(tmpdir(), "boxship-images-full-"));
  mount({ source: "tmpfs", target: root, type: "tmpfs", data: "size=1m" });
  t.after(async () => {
    unmount(root, UnmountFlag.Detach);
    await rm(root, { recursive: true });
  });
  const s = await stores(t, root);
  const one = await addImage(s, "one", "a:1");
  await writeFile(join(root, "filler"), Buffer.alloc(4096)).catch(() => {});
  await writeFile(join(root, "filler"), Buffer.alloc(2_000_000)).catch(() => {});
  await assert.rejects(s.images.tag(one.id, parseReference("b:1")), ResourceExhausted);
  assert.deepEqual(s.images.get(one.id)?.repoTags, ["a:1"]);
  await rm(join(root, "filler"));
  assert.deepEqual((await s.images.tag(one.id, parseReference("b:1"))).repoTags, ["a:1", "b:1"]);
});

test("a list of another version is refused, a damaged one put aside, an image that cannot be read left out", async (t) => {
  const s = await stores(t);
  const one = await addImage(s, "one", "a:1");
  await addImage(s, "two", "b:1");
  await s.content.delete(one.id);
  const { images } = await stores(t, s.root);
  assert.deepEqual(
    images.list().map((image) => image.repoTags),
    [["b:1"]],
  );
  const path = join(s.root, "images", "images.json");
  const text = await readFile(path, "utf8");
  await writeFile(path, text.replace(`"version":1`, `"version":2`));
  await assert.rejects(stores(t, s.root), FailedPrecondition);
  await writeFile(path, text);
  await rm(`${path}.previous`);
  await writeFile(path, text.slice(0, 50));
  assert.deepEqual((await stores(t, s.root)).images.list(), []);
  assert.equal(await readFile(`${path}.corrupt`, "utf8"), text.slice(0, 50));
});

test("a damaged list is taken as it was before its last change, also by the start after that", async (t) => {
  const s = await stores(t);
  await addImage(s, "one", "a:1");
  await addImage(s, "two", "b:1");
  await addImage(s, "three", "c:1");
  const path = join(s.root, "images", "images.json");
  await writeFile(path, "garbage");
  const names = (images: ImageStore) =>
    images
      .list()
      .flatMap(({ repoTags }) => repoTags)
      .sort();
  assert.deepEqual(names((await stores(t, s.root)).images), ["a:1", "b:1"]);
  const next = await stores(t, s.root);
  assert.deepEqual(names(next.images), ["a:1", "b:1"]);
  await addImage(next, "three", "c:1");
  assert.deepEqual(names((await stores(t, s.root)).images), ["a:1", "b:1", "c:1"]);
  await writeFile(path, "");
  await writeFile(`${path}.previous`, "");
  assert.deepEqual(names((await stores(t, s.root)).images), []);
});

test("kill -9 at any moment leaves only names with their whole content", async (t) => {
  const root = await mkdtemp(join(tmpdir(), "boxship-images-kill-"));
  t.after(() => rm(root, { recursive: true, force: true }));
  const script = `
    import { openContentStore } from ${JSON.stringify(import.meta.resolve("../content-store/filesystem.ts"))};
    import { openImageStore } from ${JSON.stringify(import.meta.resolve("./image-store.ts"))};
    import { digestOf } from ${JSON.stringify(import.meta.resolve("../digest.ts"))};
    import { parseReference } from ${JSON.stringify(import.meta.resolve("../reference.ts"))};
    const content = await openContentStore({ root: ${JSON.stringify(join(root, "content"))} });
    const images = await openImageStore({ root: ${JSON.stringify(join(root, "images"))}, content });
    console.log("ready");
    for (let n = 0; ; n++) {
      using lease = content.lease();
      const text = "layer " + process.pid + " " + n;
      lease.add(digestOf(text));
      const layer = await content.put(Buffer.from(text));
      await images.addFromLayers({
        config: { architecture: "amd64", os: "linux" },
        layers: [{ descriptor: { mediaType: "application/vnd.oci.image.layer.v1.tar", ...layer }, diffId: digestOf(text) }],
        size: 1,
        tags: [parseReference("app:v" + (n % 5)), parseReference("latest")],
      });
      console.log("v" + (n % 5));
      const dangling = images.list().filter((image) => image.repoTags.length === 0);
      for (const image of dangling) await images.remove(image.id);
      await content.sweep((digest) => images.references().has(digest));
    }`;
  for (let round = 0; round < 8; round++) {
    const child = spawn(
      process.execPath,
      ["--input-type=module", "--disable-warning=ExperimentalWarning", "-e", script],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    let output = "";
    child.stdout.on("data", (data: Buffer) => {
      output += data.toString();
    });
    await once(child.stdout, "data");
    await new Promise((resolve) => setTimeout(resolve, 15 + round * 11));
    child.kill("SIGKILL");
    await once(child, "close");
    const content = await openContentStore({ root: join(root, "content") });
    const images = await openImageStore({ root: join(root, "images"), content });
    for (const digest of images.references()) assert.ok(await content.stat(digest), `${digest} is missing`);
    // Whole lines after "ready": each is a name whose call had resolved.
    const [last] = output.split("\n").slice(1, -1).reverse();
    if (last !== undefined) assert.ok(images.find(parseReference(`app:${last}`)), "what was acknowledged is there");
    await images[Symbol.asyncDispose]();
  }
});
