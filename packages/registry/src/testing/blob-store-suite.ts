import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { InvalidArgument, NotFound, ResourceExhausted } from "@boxship/base";
import { type Digest, digestOf } from "@boxship/oci";
import type { BlobStore } from "../blobs/contract.ts";

export interface BlobStoreUnderTest extends AsyncDisposable {
  readonly store: BlobStore;
  /** Closes it and opens it again. */
  reopen(): Promise<BlobStore>;
}

/** What every store of blobs promises. */
export function blobStoreSuite(name: string, start: () => Promise<BlobStoreUnderTest>): void {
  describe(`a store of blobs: ${name}`, () => {
    let under: BlobStoreUnderTest;
    let store: BlobStore;
    before(async () => {
      under = await start();
      store = under.store;
    });
    after(() => under?.[Symbol.asyncDispose]());
    const absent = digestOf(Buffer.from("absent"));

    test("keeps bytes under their digest", async () => {
      const bytes = randomBytes(5000);
      const { digest, size } = await store.put(bytes);
      assert.deepEqual([digest, size], [digestOf(bytes), 5000]);
      assert.deepEqual(await store.put(bytes, digest), { digest, size });
      assert.deepEqual(await store.stat(digest), { digest, size });
      assert.deepEqual(Buffer.from(await store.read(digest)), bytes);
      assert.deepEqual(Buffer.from(await store.read(digest, { offset: 10, length: 5 })), bytes.subarray(10, 15));
      await assert.rejects(store.read(digest, { limit: 10 }), ResourceExhausted);
      await assert.rejects(store.put(bytes, absent), InvalidArgument);
      const long = digestOf(bytes, "sha512");
      assert.equal((await store.put(bytes, long)).digest, long);
    });

    test("does not have what it was not given", async () => {
      assert.equal(await store.stat(absent), undefined);
      await assert.rejects(store.open(absent), NotFound);
      await assert.rejects(store.read(absent), NotFound);
      assert.equal(await store.delete(absent), false);
    });

    test("reads in any order, in pieces, and into what it is given", async () => {
      const bytes = randomBytes(700_000);
      const { digest } = await store.put(bytes);
      await using reader = await store.open(digest);
      const target = Buffer.alloc(100);
      for (const offset of [0, 100, 200, 650_000, 50]) {
        assert.equal(await reader.readInto(target, offset), 100);
        assert.deepEqual(target, bytes.subarray(offset, offset + 100));
      }
      assert.equal(await reader.readInto(target, 699_990), 10);
      assert.equal((await reader.read(700_000, 10)).byteLength, 0);
      const pieces: Uint8Array[] = [];
      for await (const piece of reader.chunks(5)) pieces.push(piece);
      assert.ok(Buffer.concat(pieces).equals(bytes.subarray(5)));
    });

    test("a blob is written in pieces, and goes on after a new start", async () => {
      const bytes = randomBytes(300_000);
      {
        await using ingest = await store.ingest({ key: "goes on" });
        await ingest.write(bytes.subarray(0, 100_000));
      }
      store = await under.reopen();
      await using ingest = await store.ingest({ key: "goes on" });
      assert.equal(ingest.offset, 100_000);
      await ingest.write(bytes.subarray(100_000));
      const { digest } = await ingest.commit(digestOf(bytes));
      assert.ok(Buffer.from(await store.read(digest)).equals(bytes));
    });

    test("nothing with a wrong digest is seen, and what is aborted is gone", async () => {
      const ingest = await store.ingest({ key: "wrong" });
      await ingest.write(Buffer.from("this"));
      await assert.rejects(ingest.commit(absent), InvalidArgument);
      assert.equal(await store.stat(absent), undefined);
      const again = await store.ingest({ key: "wrong" });
      assert.equal(again.offset, 0);
      await again.write(Buffer.from("that"));
      await again.abort();
      assert.equal(await store.stat(digestOf(Buffer.from("that"))), undefined);
    });

    test("many write the same blob at once", async () => {
      const bytes = randomBytes(50_000);
      const write = async (number: number) => {
        await using ingest = await store.ingest({ key: `same ${number}` });
        await ingest.write(bytes);
        return (await ingest.commit()).digest;
      };
      const digests = new Set(await Promise.all([1, 2, 3, 4].map(write)));
      assert.deepEqual([...digests], [digestOf(bytes)]);
      assert.ok(Buffer.from(await store.read(digestOf(bytes))).equals(bytes));
    });

    test("what is neither needed, leased nor young is swept, and everything else is listed", async () => {
      const blobs = await Promise.all([0, 1, 2, 3].map((number) => store.put(Buffer.from(`swept ${number}`))));
      const [kept, leased, ...garbage] = blobs.map(({ digest }) => digest);
      const sweep = async (minAgeMs: number): Promise<number> => {
        let removed = 0;
        for (let complete = false; !complete; ) {
          const swept = await store.sweep((digest) => digest === kept || !garbageOr(leased, garbage, digest), {
            minAgeMs,
          });
          removed += swept.removed;
          ({ complete } = swept);
        }
        return removed;
      };
      assert.equal(await sweep(60 * 60 * 1000), 0);
      {
        using lease = store.lease();
        if (leased !== undefined) lease.add(leased);
        // What is counted in whole seconds is young for one.
        assert.equal(await sweep(-2000), garbage.length);
      }
      const listed = new Set<Digest>();
      for await (const { digest } of store.list()) listed.add(digest);
      assert.deepEqual(
        blobs.map(({ digest }) => listed.has(digest)),
        [true, true, false, false],
      );
      assert.equal(await sweep(-2000), 1);
    });
  });
}

function garbageOr(leased: Digest | undefined, garbage: readonly Digest[], digest: Digest): boolean {
  return digest === leased || garbage.includes(digest);
}
