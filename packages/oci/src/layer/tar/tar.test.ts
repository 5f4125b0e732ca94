import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidArgument } from "@boxship/base";
import fc from "fast-check";
import { type ByteString, bytesOf } from "./bytes.ts";
import { type EncodedHeader, encodeHeader, tarEntry } from "./encoder.ts";
import type { SparseExtent, TarEntry } from "./entry.ts";
import { writeChecksum } from "./numbers.ts";
import { TarParser } from "./parser.ts";
import { readTar } from "./reader.ts";
import { writeTar } from "./writer.ts";

interface Read {
  readonly entry: TarEntry;
  readonly pieces: (readonly [offset: number, bytes: Buffer])[];
}

/** Everything in an archive, pushed in pieces of `step` bytes. */
function parse(archive: Buffer, step = archive.length): Read[] {
  const all: Read[] = [];
  let current: Read | undefined;
  const parser = new TarParser({
    entry: (entry) => {
      current = { entry, pieces: [] };
      all.push(current);
    },
    data: (chunk, offset) => void current?.pieces.push([offset, Buffer.from(chunk)]),
    end: () => {
      current = undefined;
    },
  });
  for (let at = 0; at < archive.length; at += step) parser.push(archive.subarray(at, at + step));
  parser.finish();
  return all;
}

function content({ entry, pieces }: Read): Buffer {
  const bytes = Buffer.alloc(entry.size);
  for (const [offset, piece] of pieces) piece.copy(bytes, offset);
  return bytes;
}

async function pack(inputs: readonly { entry: TarEntry; body?: Buffer }[]): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of writeTar(inputs)) pieces.push(piece);
  return Buffer.concat(pieces);
}

const withoutEmptyExtents = (entry: TarEntry) => ({
  ...entry,
  sparse: entry.sparse?.filter(({ length }) => length > 0),
});

const bytes = (options: { minLength?: number; maxLength: number }) =>
  fc
    .uint8Array({ ...options, min: 1 })
    .map((array) => Buffer.from(array).toString("latin1") as ByteString)
    .filter((name) => !name.endsWith("/"));

const sparseMap: fc.Arbitrary<SparseExtent[]> = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 5000 }), fc.integer({ min: 0, max: 3000 })), { maxLength: 60 })
  .map((pairs) => {
    let end = 0;
    return pairs.map(([gap, room], index) => {
      const offset = end + gap;
      const length = index === pairs.length - 1 ? room : Math.floor(room / 512) * 512;
      end = offset + length;
      return { offset, length };
    });
  });

const entryArbitrary: fc.Arbitrary<{ entry: TarEntry; body: Buffer }> = fc
  .record({
    type: fc.constantFrom("file", "file", "directory", "symlink", "link", "character", "block", "fifo"),
    name: fc.oneof(bytes({ minLength: 1, maxLength: 300 }), fc.constant(bytesOf("usr/share/dæmon/ü"))),
    linkName: bytes({ minLength: 1, maxLength: 300 }),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: fc.integer({ min: 0, max: 0xfffffffe }),
    gid: fc.integer({ min: 0, max: 0xfffffffe }),
    mtime: fc.integer({ min: -(2 ** 34), max: 2 ** 36 }),
    mtimeNanoseconds: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 999_999_999 })),
    device: fc.tuple(fc.integer({ min: 0, max: 4095 }), fc.integer({ min: 0, max: 1 << 20 })),
    userName: bytes({ maxLength: 40 }),
    xattrs: fc.option(
      fc.dictionary(fc.stringMatching(/^(user|security|trusted)\.[a-z.]{1,20}$/), fc.uint8Array({ maxLength: 200 }), {
        maxKeys: 4,
      }),
    ),
    body: fc.uint8Array({ maxLength: 2000 }),
    sparse: fc.option(sparseMap),
    tail: fc.integer({ min: 0, max: 9000 }),
  })
  .map(({ type, device, xattrs, body, sparse, tail, linkName, ...rest }) => {
    const isFile = type === "file";
    const isDevice = type === "character" || type === "block";
    const map = isFile && sparse !== null ? sparse : undefined;
    const last = map?.at(-1);
    const stored = map?.reduce((sum, { length }) => sum + length, 0);
    const data = stored === undefined ? Buffer.from(body) : Buffer.alloc(stored, "sparse");
    const attributes = Object.entries(xattrs ?? {}).map(([key, value]) => [bytesOf(key), Buffer.from(value)] as const);
    const entry = tarEntry({
      ...rest,
      type,
      size: !isFile ? 0 : map === undefined ? data.length : (last?.offset ?? 0) + (last?.length ?? 0) + tail,
      linkName: type === "symlink" || type === "link" ? linkName : ("" as ByteString),
      deviceMajor: isDevice ? device[0] : 0,
      deviceMinor: isDevice ? device[1] : 0,
      xattrs: attributes.length === 0 ? undefined : new Map(attributes),
      sparse: map,
    });
    return { entry, body: isFile ? data : Buffer.alloc(0) };
  });

test("what is written is read back exactly, in pieces of any size", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(entryArbitrary, { maxLength: 6 }),
      fc.integer({ min: 1, max: 3000 }),
      async (inputs, step) => {
        const read = parse(await pack(inputs), step);
        assert.deepEqual(
          read.map(({ entry }) => withoutEmptyExtents(entry)),
          inputs.map(({ entry }) => withoutEmptyExtents(entry)),
        );
        for (const [index, member] of read.entries()) {
          const stored = Buffer.concat(member.pieces.map(([, piece]) => piece));
          assert.deepEqual(stored, inputs[index]?.body);
        }
      },
    ),
    { numRuns: 200 },
  );
});

test("random and damaged bytes are refused or read, never a crash or a hang", async () => {
  const archive = await pack([
    { entry: tarEntry({ type: "file", name: bytesOf("a".repeat(300)), size: 700 }), body: Buffer.alloc(700) },
    {
      entry: tarEntry({ type: "file", name: bytesOf("s"), size: 9000, sparse: [{ offset: 5, length: 9 }] }),
      body: Buffer.alloc(9),
    },
  ]);
  const attempt = (input: Buffer, step: number) => {
    try {
      parse(input, step);
    } catch (error) {
      assert.ok(error instanceof InvalidArgument || (error as Error).name === "Unsupported", String(error));
    }
  };
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 0, max: archive.length - 1 }), fc.integer({ min: 0, max: 255 })), {
        minLength: 1,
        maxLength: 8,
      }),
      fc.boolean(),
      fc.integer({ min: 1, max: 2000 }),
      (changes, repair, step) => {
        const damaged = Buffer.from(archive);
        for (const [at, value] of changes) damaged[at] = value;
        if (repair) for (let at = 0; at + 512 <= damaged.length; at += 512) writeChecksum(damaged, at);
        attempt(damaged, step);
      },
    ),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), (noise) => {
      const blocks = Buffer.alloc(Math.ceil(noise.length / 512) * 512);
      blocks.set(noise);
      for (let at = 0; at + 512 <= blocks.length; at += 512) writeChecksum(blocks, at);
      attempt(blocks, 512);
    }),
    { numRuns: 300 },
  );
});

test("every cut is noticed, and named with its place", async () => {
  const archive = await pack([
    { entry: tarEntry({ type: "file", name: bytesOf("first"), size: 600 }), body: Buffer.alloc(600) },
    {
      entry: tarEntry({ type: "file", name: bytesOf(`second-${"x".repeat(200)}`), size: 5 }),
      body: Buffer.from("hello"),
    },
  ]);
  assert.throws(() => parse(archive.subarray(0, 700)), {
    name: "InvalidArgument",
    message: 'tar entry "first" at offset 0: the archive is truncated',
  });
  assert.throws(() => parse(archive.subarray(0, 512 + 1024 + 512 + 100)), {
    message: 'tar entry "PaxHeaders/entry" at offset 1536: the archive is truncated',
  });
  assert.equal(parse(archive.subarray(0, archive.length - 1024)).length, 2, "a missing end mark is accepted");
});

test("a wrong checksum, a lone zero block, a huge extended header and an orphan are refused", () => {
  const header = (init: Partial<EncodedHeader> = {}) => ({
    ...encodeHeader(tarEntry({ type: "file", name: bytesOf("f") })),
    ...init,
  });
  const broken = Buffer.from(header().header);
  broken[0] = 0x67;
  assert.throws(() => parse(broken), { message: "tar archive at offset 0: the header's checksum is wrong" });
  assert.throws(() => parse(Buffer.concat([Buffer.alloc(512), header().header])), { message: /lone block of zeros/ });
  const bomb = Buffer.from(header().header);
  bomb.write("x", 156, "latin1");
  bomb.write("00777777777\0", 124, "latin1");
  writeChecksum(bomb);
  assert.throws(() => parse(bomb), { message: /extended header of \d+ bytes exceeds the limit of 1048576/ });
  const long = encodeHeader(tarEntry({ type: "file", name: bytesOf("n".repeat(300)) })).header;
  assert.throws(() => parse(Buffer.concat([long.subarray(0, -512), Buffer.alloc(1024)])), { message: /no entry/ });
});

test("endless global headers do not grow without bound", () => {
  const piece = Buffer.concat([
    encodeHeader(
      tarEntry({ type: "file", name: bytesOf("f"), xattrs: new Map([[bytesOf("user.k"), Buffer.alloc(900_000)]]) }),
    ).header,
  ]);
  const parser = new TarParser({ entry: () => {}, data: () => {}, end: () => {} });
  assert.throws(
    () => {
      for (let index = 0; index < 10; index++) {
        const next = Buffer.from(piece.subarray(0, -512));
        next.write("g", 156, "latin1");
        next.write(String(index), next.indexOf("user.k") + 5, "latin1");
        writeChecksum(next);
        parser.push(next);
      }
    },
    { message: /extended headers exceed the limit/ },
  );
});

test("numbers in base 256, signed checksums, V7 directories", () => {
  const block = Buffer.from(encodeHeader(tarEntry({ type: "file", name: bytesOf("v7/") })).header);
  block.fill(0, 257);
  block[156] = 0;
  block.set(Buffer.from("8000000080000001", "hex"), 108);
  block.set(Buffer.from("fffffffffffffffffffffffe", "hex"), 136);
  writeChecksum(block);
  const [read] = parse(block);
  assert.equal(read?.entry.type, "directory");
  assert.equal(read?.entry.name, "v7");
  assert.equal(read?.entry.uid, 0x80000001);
  assert.equal(read?.entry.mtime, -2);
  let signed = 0;
  block.fill(0x20, 148, 156);
  for (const byte of block) signed += byte > 127 ? byte - 256 : byte;
  block.write(`${signed.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  assert.equal(parse(block).length, 1);
});

test("a member iterator skips what is not read and fills holes", async () => {
  const archive = await pack([
    { entry: tarEntry({ type: "file", name: bytesOf("skipped"), size: 3000 }), body: Buffer.alloc(3000, 1) },
    {
      entry: tarEntry({ type: "file", name: bytesOf("holes"), size: 100_000, sparse: [{ offset: 70_000, length: 3 }] }),
      body: Buffer.from("abc"),
    },
  ]);
  const seen: Record<string, Buffer> = {};
  for await (const { entry, body } of readTar([archive.subarray(0, 1000), archive.subarray(1000)])) {
    if (entry.name === "skipped") continue;
    const parts: Buffer[] = [];
    for await (const part of body) parts.push(part);
    seen[entry.name] = Buffer.concat(parts);
  }
  const expected = Buffer.alloc(100_000);
  expected.write("abc", 70_000);
  assert.deepEqual(seen, { holes: expected });
});

test("content that is not of the announced size is refused by the writer", async () => {
  const entry = tarEntry({ type: "file", name: bytesOf("f"), size: 3 });
  await assert.rejects(pack([{ entry, body: Buffer.from("ab") }]), { message: /less than the size/ });
  await assert.rejects(pack([{ entry, body: Buffer.from("abcd") }]), { message: /more than the size/ });
  assert.deepEqual(content(parse(await pack([{ entry, body: Buffer.from("abc") }]))[0] as Read), Buffer.from("abc"));
});
