import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { FailedPrecondition, InvalidArgument, NotFound, ResourceExhausted } from "@boxship/base";
import { mount, UnmountFlag, unmount } from "@boxship/kernel";
import { type Digest, digestOf } from "../digest.ts";
import type { ContentStore } from "./contract.ts";
import { openContentStore } from "./filesystem.ts";

async function temporaryRoot(t: TestContext): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "boxship-content-"));
  t.after(() => rm(root, { recursive: true, force: true }));
  return root;
}

async function openStore(t: TestContext, root?: string): Promise<{ store: ContentStore; root: string }> {
  const directory = root ?? (await temporaryRoot(t));
  const store = await openContentStore({ root: directory });
  t.after(() => store[Symbol.asyncDispose]());
  return { store, root: directory };
}

const HELLO = Buffer.from("hello");
const HELLO_DIGEST = digestOf(HELLO);

test("a blob that was put is found under its digest, as in an OCI layout", async (t) => {
  const { store, root } = await openStore(t);
  assert.deepEqual(await store.put(HELLO), { digest: HELLO_DIGEST, size: 5 });
  assert.deepEqual(await store.put(HELLO, HELLO_DIGEST), { digest: HELLO_DIGEST, size: 5 });
  assert.equal((await store.stat(HELLO_DIGEST))?.size, 5);
  assert.deepEqual(Buffer.from(await store.read(HELLO_DIGEST)), HELLO);
  assert.deepEqual(await readFile(join(root, "blobs", "sha256", HELLO_DIGEST.slice(7))), HELLO);
  assert.equal(await store.path(HELLO_DIGEST), join(root, "blobs", "sha256", HELLO_DIGEST.slice(7)));
  assert.deepEqual(JSON.parse(await readFile(join(root, "oci-layout"), "utf8")), { imageLayoutVersion: "1.0.0" });
});

test("other digest algorithms have their own directory", async (t) => {
  const { store } = await openStore(t);
  const digest = digestOf(HELLO, "sha512");
  await store.put(HELLO, digest);
  assert.equal((await store.stat(digest))?.size, 5);
  assert.equal(await store.stat(HELLO_DIGEST), undefined);
});

test("put refuses bytes with another digest than expected", async (t) => {
  const { store } = await openStore(t);
  await assert.rejects(store.put(Buffer.from("other"), HELLO_DIGEST), InvalidArgument);
  assert.equal(await store.stat(HELLO_DIGEST), undefined);
});

test("ranges, chunks and limits of reading", async (t) => {
  const { store } = await openStore(t);
  const big = Buffer.alloc(3 * 1024 * 1024 + 7, "abcdefg");
  const { digest } = await store.put(big);
  assert.equal(Buffer.from(await store.read(digest, { offset: 7, length: 7 })).toString(), "abcdefg");
  assert.equal((await store.read(digest, { offset: big.length + 1 })).byteLength, 0);
  await assert.rejects(store.read(digest, { limit: 10 }), ResourceExhausted);
  await using reader = await store.open(digest);
  const parts: Uint8Array[] = [];
  for await (const chunk of reader.chunks(5)) parts.push(chunk);
  assert.ok(Buffer.concat(parts).equals(big.subarray(5)));
});

test("an open reader outlives the deletion of its blob", async (t) => {
  const { store } = await openStore(t);
  await store.put(HELLO);
  await using reader = await store.open(HELLO_DIGEST);
  assert.equal(await store.delete(HELLO_DIGEST), true);
  assert.equal(await store.delete(HELLO_DIGEST), false);
  assert.deepEqual(Buffer.from(await reader.read(0, 100)), HELLO);
  await assert.rejects(store.open(HELLO_DIGEST), NotFound);
  await assert.rejects(store.path(HELLO_DIGEST), NotFound);
});

test("an ingest that stopped goes on where it stopped, in another store too", async (t) => {
  const { store, root } = await openStore(t);
  {
    await using ingest = await store.ingest({ key: "k", digest: HELLO_DIGEST, size: 5 });
    await ingest.write(HELLO.subarray(0, 2));
  }
  assert.deepEqual(await store.usage(), { blobs: 0, blobBytes: 0, ingests: 1, ingestBytes: 2 });
  const { store: again } = await openStore(t, root);
  await using ingest = await again.ingest({ key: "k", digest: HELLO_DIGEST, size: 5 });
  assert.equal(ingest.offset, 2);
  await ingest.write(HELLO.subarray(2));
  assert.deepEqual(await ingest.commit(), { digest: HELLO_DIGEST, size: 5 });
  assert.deepEqual(await store.usage(), { blobs: 1, blobBytes: 5, ingests: 0, ingestBytes: 0 });
});

test("commit checks size and digest, and aborts when they differ", async (t) => {
  const { store } = await openStore(t);
  const short = await store.ingest({ key: "k", digest: HELLO_DIGEST, size: 5 });
  await short.write(HELLO.subarray(0, 3));
  await assert.rejects(short.commit(), /has 3 bytes instead of 5/);
  const wrong = await store.ingest({ key: "k", digest: HELLO_DIGEST, size: 5 });
  assert.equal(wrong.offset, 0);
  await wrong.write(Buffer.from("hallo"));
  await assert.rejects(wrong.commit(), (error: Error) => /instead of sha256:2cf24dba/.test(error.message));
  await using long = await store.ingest({ key: "k", digest: HELLO_DIGEST, size: 5 });
  await assert.rejects(long.write(Buffer.from("hello!")), /more than the announced 5 bytes/);
  await long.abort();
  assert.deepEqual(await store.usage(), { blobs: 0, blobBytes: 0, ingests: 0, ingestBytes: 0 });
  await assert.rejects(long.write(HELLO), FailedPrecondition);
});

test("a file that was lent is verified from what the writer says, or read again", async (t) => {
  const { store } = await openStore(t);
  for (const digest of [HELLO_DIGEST, undefined]) {
    await using ingest = await store.ingest({ key: "k", digest: HELLO_DIGEST, size: 5 });
    const lent = ingest.lend();
    await writeFile(lent.path, HELLO);
    ingest.adopt(5, digest);
    await ingest.commit();
    await store.delete(HELLO_DIGEST);
  }
  await using ingest = await store.ingest({ key: "k", digest: HELLO_DIGEST, size: 5 });
  await writeFile(ingest.lend().path, "hallo");
  ingest.adopt(5);
  await assert.rejects(ingest.commit(), InvalidArgument);
});

test("two ingests of one key do not disturb each other", async (t) => {
  const { store } = await openStore(t);
  const one = await store.ingest({ key: "k", digest: HELLO_DIGEST });
  const two = await store.ingest({ key: "k", digest: HELLO_DIGEST });
  await one.write(HELLO.subarray(0, 3));
  await two.write(HELLO);
  await two.commit();
  await one.write(HELLO.subarray(3));
  await one.commit();
  assert.deepEqual(Buffer.from(await store.read(HELLO_DIGEST)), HELLO);
});

test("writers in several processes store the same blob", async (t) => {
  const { store, root } = await openStore(t);
  const script = `
    import { openContentStore } from ${JSON.stringify(import.meta.resolve("./filesystem.ts"))};
    const store = await openContentStore({ root: ${JSON.stringify(root)} });
    for (let round = 0; round < 20; round++) {
      await using ingest = await store.ingest({ key: "same" });
      await ingest.restart();
      for (let part = 0; part < 8; part++) await ingest.write(Buffer.alloc(50_000, part));
      await ingest.commit();
    }`;
  const children = [1, 2, 3].map(() =>
    spawn(process.execPath, ["--input-type=module", "--disable-warning=ExperimentalWarning", "-e", script], {
      stdio: ["ignore", "inherit", "inherit"],
    }),
  );
  const codes = await Promise.all(children.map(async (child) => (await once(child, "exit"))[0] as number));
  assert.deepEqual(codes, [0, 0, 0]);
  const usage = await store.usage();
  assert.deepEqual(usage, { blobs: 1, blobBytes: 400_000, ingests: 0, ingestBytes: 0 });
});

test("the ingest of a killed process is taken over", async (t) => {
  const { store, root } = await openStore(t);
  const script = `
    import { openContentStore } from ${JSON.stringify(import.meta.resolve("./filesystem.ts"))};
    const store = await openContentStore({ root: ${JSON.stringify(root)} });
    const ingest = await store.ingest({ key: "k" });
    await ingest.write(Buffer.from("hel"));
    console.log("written");
    setInterval(() => {}, 1000);`;
  const child = spawn(
    process.execPath,
    ["--input-type=module", "--disable-warning=ExperimentalWarning", "-e", script],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  await once(child.stdout, "data");
  {
    await using ours = await store.ingest({ key: "k" });
    assert.equal(ours.offset, 0, "the other process still owns its file");
  }
  child.kill("SIGKILL");
  await once(child, "exit");
  await using ingest = await store.ingest({ key: "k", digest: HELLO_DIGEST });
  assert.equal(ingest.offset, 3);
  await ingest.write(Buffer.from("lo"));
  await ingest.commit();
});

test("old unfinished ingests are removed on open, young ones and strangers' files stay", async (t) => {
  const { store, root } = await openStore(t);
  for (const key of ["old", "young"]) {
    await using ingest = await store.ingest({ key });
    await ingest.write(HELLO);
  }
  await writeFile(join(root, "ingest", "note.txt"), "mine");
  const [first] = (await readdir(join(root, "ingest"))).filter((name) => name.endsWith(".partial"));
  const longAgo = new Date(Date.now() - 48 * 60 * 60 * 1000);
  await utimes(join(root, "ingest", first ?? ""), longAgo, longAgo);
  await openStore(t, root);
  assert.equal((await readdir(join(root, "ingest"))).length, 2);
});

test("sweep removes what is neither referenced nor leased", async (t) => {
  const { store } = await openStore(t);
  const digests: Digest[] = [];
  for (let n = 0; n < 6; n++) digests.push((await store.put(Buffer.from(`blob ${n}`))).digest);
  const [kept, leased, ...garbage] = digests;
  using lease = store.lease();
  if (leased !== undefined) lease.add(leased);
  const result = await store.sweep((digest) => digest === kept, { budgetMs: 10_000 });
  assert.deepEqual(result, { removed: garbage.length, freed: garbage.length * 6, complete: true });
  assert.equal((await store.usage()).blobs, 2);
  lease[Symbol.dispose]();
  assert.equal((await store.sweep((digest) => digest === kept)).removed, 1);
});

test("sweep stops when its budget is spent and goes on from there", async (t) => {
  const { store } = await openStore(t);
  for (let n = 0; n < 40; n++) await store.put(Buffer.from(`blob ${n}`));
  let rounds = 0;
  let removed = 0;
  for (;;) {
    const result = await store.sweep(() => false, { budgetMs: 0.5 });
    rounds++;
    removed += result.removed;
    if (result.complete) break;
    assert.ok(rounds < 1000);
  }
  assert.equal(removed, 40);
  assert.ok(rounds > 1);
});

test("sweep spares blobs younger than asked", async (t) => {
  const { store } = await openStore(t);
  await store.put(HELLO);
  assert.equal((await store.sweep(() => false, { minAgeMs: 60_000 })).removed, 0);
});

test("a blob put again while it is swept is there afterwards", async (t) => {
  const { store } = await openStore(t);
  for (let round = 0; round < 50; round++) {
    await store.put(HELLO);
    const sweeping = store.sweep(() => false);
    using lease = store.lease();
    lease.add(HELLO_DIGEST);
    await store.put(HELLO);
    assert.ok(await store.stat(HELLO_DIGEST));
    await sweeping;
    assert.ok(await store.stat(HELLO_DIGEST));
  }
});

test("a full disk is named as such, and nothing half-made stays", async (t) => {
  const root = await mkdtemp(join(tmpdir(), "boxship-content-full-"));
  mount({ source: "tmpfs", target: root, type: "tmpfs", data: "size=1m" });
  t.after(async () => {
    unmount(root, UnmountFlag.Detach);
    await rm(root, { recursive: true });
  });
  const { store } = await openStore(t, root);
  await assert.rejects(store.put(Buffer.alloc(2_000_000)), (error: unknown) => {
    assert.ok(error instanceof ResourceExhausted);
    return error.remedy !== undefined;
  });
  assert.deepEqual(await store.usage(), { blobs: 0, blobBytes: 0, ingests: 0, ingestBytes: 0 });
  await store.put(HELLO);
  assert.equal((await stat(await store.path(HELLO_DIGEST))).size, 5);
});
