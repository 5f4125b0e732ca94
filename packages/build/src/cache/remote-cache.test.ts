import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { startRegistry, type TempDir, tempDir } from "@boxship/testkit";
import type { CacheExport, CacheImport } from "../contract.ts";
import { openTestBuilder, type TestBuilder } from "../testing/open-builder.ts";
import { directorySink, directoryStore } from "./cache-store.ts";

const FILE = `FROM busybox AS tools
RUN echo tool > /tool; cat /proc/sys/kernel/random/uuid >> /tool; date > /more
FROM busybox
ARG WHO=nobody
ENV A=b
WORKDIR /work
COPY first /work/
RUN echo made for $WHO; cat /proc/sys/kernel/random/uuid > /made
COPY --from=tools /tool /tool
COPY second /work/
RUN cat /work/second > /last
`;

const STEPS = 9;

describe("a cache goes from one instance to another", () => {
  let one: TestBuilder;
  let two: TestBuilder;
  let work: TempDir;

  before(async () => {
    work = tempDir("remote-cache");
    [one, two] = await Promise.all([openTestBuilder(), openTestBuilder()]);
  });
  after(async () => {
    await one[Symbol.asyncDispose]();
    await two[Symbol.asyncDispose]();
    await work[Symbol.asyncDispose]();
  });

  const files = { first: "1\n", second: "2\n" };
  const steps = ({ cached }: { readonly cached: readonly string[] }) =>
    cached.filter((text) => !text.startsWith("FROM")).length;
  const to = (path: string, mode: "min" | "max"): CacheExport => ({
    kind: "store",
    sink: directorySink(path),
    options: { mode },
  });
  const from = (path: string): CacheImport => ({ kind: "store", name: path, store: directoryStore(path) });
  /** Leaves nothing of earlier builds on the second instance but what a test names. */
  const forget = async (keep: readonly string[] = []) => {
    const { store } = two.engine.parts.images;
    for (const { id, repoTags } of store.list()) {
      if (!repoTags.some((tag) => ["busybox:latest", ...keep].includes(tag))) await store.remove(id);
    }
    await two.builder.cache.prune({ all: true });
  };

  for (const mode of ["max", "min"] as const) {
    test(`everything is found with mode=${mode}, and the image is the same`, async () => {
      const path = work.join(mode);
      const made = await one.build(FILE, { context: await one.context(files), cacheTo: [to(path, mode)] });
      await forget();
      const found = await two.build(FILE, { context: await two.context(files), cacheFrom: [from(path)] });
      assert.deepEqual(found.done, []);
      assert.equal(steps(found), STEPS);
      assert.equal(found.imageId, made.imageId);
      assert.equal(await two.run(found.imageId, "cat /last /tool"), await one.run(made.imageId, "cat /last /tool"));
      assert.deepEqual(found.warnings, []);
      // What was brought here is a cache like any other from now on.
      const again = await two.build(FILE, { context: await two.context(files) });
      for (const text of ["COPY first /work/", "ENV A=b"]) assert.ok(again.cached.includes(text));
    });

    test(`a changed file makes the steps after it, and no others, with mode=${mode}`, async () => {
      await forget();
      const context = await two.context({ ...files, second: "changed\n" });
      const built = await two.build(FILE, { context, cacheFrom: [from(work.join(mode))] });
      assert.deepEqual(built.done, ["COPY second /work/", "RUN cat /work/second > /last"]);
      assert.equal(await two.run(built.imageId, "cat /last"), "changed\n");
    });

    test(`a stage whose files are needed after all is fetched, or made again, with mode=${mode}`, async () => {
      await forget();
      const file = FILE.replace("COPY --from=tools /tool /tool", "COPY --from=tools /tool /other");
      const built = await two.build(file, { context: await two.context(files), cacheFrom: [from(work.join(mode))] });
      const wanted = ["COPY --from=tools /tool /other", "COPY second /work/", "RUN cat /work/second > /last"];
      const tool =
        mode === "min" ? ["RUN echo tool > /tool; cat /proc/sys/kernel/random/uuid >> /tool; date > /more"] : [];
      assert.deepEqual(built.done.toSorted(), [...wanted, ...tool].toSorted());
      assert.match(await two.run(built.imageId, "cat /other"), /^tool\n[0-9a-f-]+\n$/);
    });
  }

  test("through a registry, as a manifest, as an index, and in the image itself", async () => {
    await using registry = await startRegistry();
    const image = `${registry.host}/app:1`;
    const reference = `${registry.host}/cache:1`;
    const old = `${registry.host}/cache:old`;
    const made = await one.build(FILE, {
      context: await one.context(files),
      outputs: [{ kind: "image", names: [image], push: true }],
      cacheTo: [
        { kind: "inline" },
        { kind: "registry", reference, options: { mode: "max", compression: "zstd" } },
        { kind: "registry", reference: old, options: { imageManifest: false } },
      ],
    });
    for (const name of [reference, old, image]) {
      await forget();
      const cacheFrom: CacheImport[] = [{ kind: "registry", reference: name }];
      const found = await two.build(FILE, {
        context: await two.context(files),
        cacheFrom,
        cacheTo: [{ kind: "inline" }],
        outputs: [{ kind: "image", names: [] }],
      });
      assert.deepEqual(found.warnings, [], name);
      assert.deepEqual(found.done, [], name);
      assert.equal(found.imageId, made.imageId, name);
    }
    // An image without a cache, and one that nobody has.
    const plain = `${registry.host}/plain:1`;
    await one.build("FROM busybox\nENV A=b\n", { outputs: [{ kind: "image", names: [plain], push: true }] });
    for (const name of [plain, `${registry.host}/nothing:1`]) {
      const { warnings } = await two.build("FROM busybox\nENV A=b\n", {
        cacheFrom: [{ kind: "registry", reference: name }],
      });
      assert.match(warnings[0]?.message ?? "", /is not used: .*(without a cache|not found|unknown)/i);
    }
  });

  test("a cache that is missing, cut off or not what it says is told, and makes no difference", async () => {
    const path = work.join("broken");
    const build = async () => {
      await forget();
      return two.build(FILE, { context: await two.context(files), cacheFrom: [from(path)] });
    };
    const none = await build();
    assert.match(none.warnings[0]?.message ?? "", /no index\.json/);
    await one.build(FILE, { context: await one.context(files), cacheTo: [to(path, "max")] });
    const blobs = join(path, "blobs/sha256");
    const sizes = readdirSync(blobs).map((name) => [name, readFileSync(join(blobs, name))] as const);
    const restore = () => {
      for (const [name, bytes] of sizes) writeFileSync(join(blobs, name), bytes);
    };
    for (const harm of [
      (name: string) => truncateSync(join(blobs, name), 10),
      (name: string) => rmSync(join(blobs, name)),
      (name: string) => writeFileSync(join(blobs, name), "{}"),
    ]) {
      for (const [name] of sizes) harm(name);
      const built = await build();
      assert.ok(built.warnings.length > 0);
      assert.equal(built.done.filter((text) => !text.startsWith("FROM")).length, STEPS);
      restore();
    }
    // Only the layers are harmed: the documents promise what is not there.
    for (const [name, bytes] of sizes) if (bytes[0] === 0x1f) writeFileSync(join(blobs, name), bytes.subarray(3));
    const built = await build();
    assert.ok(built.warnings.length > 0);
    assert.match(await two.run(built.imageId, "cat /last"), /^2\n$/);
    assert.equal(built.done.filter((text) => /^(?:RUN|COPY)/.test(text)).length, 6);
  });

  test("images that are here are compared by their history, as the classic builder does", async () => {
    const file = `FROM busybox\nARG WHO\nRUN cat /proc/sys/kernel/random/uuid > /made-$WHO\nCOPY first /\nCMD true\n`;
    const args = { WHO: "me" };
    const image = "past:1";
    const options = { args, context: await two.context(files), outputs: [{ kind: "image" as const, names: [image] }] };
    const made = await two.build(file, options);
    await forget([image]);
    const cacheFrom: CacheImport[] = [{ kind: "image", reference: image }];
    const found = await two.build(file, { ...options, cacheFrom });
    assert.deepEqual(found.done, []);
    assert.equal(found.imageId, made.imageId);
    await forget([image]);
    const other = await two.build(file, { ...options, context: await two.context({ first: "other" }), cacheFrom });
    assert.deepEqual(other.done, ["COPY first /", "CMD true"]);
    const missing = await two.build(file, { ...options, cacheFrom: [{ kind: "image", reference: "nowhere:1" }] });
    assert.match(missing.warnings[0]?.message ?? "", /nowhere:1 is not used/);
  });
});
