import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { lgetxattr, lsetxattr } from "@boxship/kernel";
import { bytesOf, toText } from "./bytes.ts";
import { tarEntry } from "./encoder.ts";
import { readTar } from "./reader.ts";
import { writeTar } from "./writer.ts";

/** Both directions against GNU tar, the reference that is always there. */

const long = `${"directory-with-a-long-name/".repeat(5)}${"file-name".repeat(14)}`;

/** A tree that needs every extension; lists differ only by what a dialect cannot say. */
const SCRIPT = `
set -e
mkdir -p "$(dirname "${long}")" sub
echo long > "${long}"
printf 'hello' > sub/plain
ln sub/plain sub/hard
ln -s "${"t".repeat(150)}" sub/long-link
ln -s plain sub/link
mkfifo sub/fifo
mknod sub/null c 1 3
printf 'x' > 'sub/ümläut'
truncate -s 10M sub/sparse
printf 'AAAA' | dd of=sub/sparse bs=1 seek=0 conv=notrunc status=none
for i in $(seq 1 40); do printf 'data' | dd of=sub/sparse bs=1 seek=$((i * 200000)) conv=notrunc status=none; done
chown 3000000:4000000 sub/plain
touch -d '2001-02-03 04:05:06.789012345Z' sub/plain
touch -d '1960-01-01 00:00:00Z' sub/old
`;

const FORMATS: readonly (readonly string[])[] = [
  ["--format=gnu"],
  ["--format=gnu", "--sparse"],
  ["--format=posix", "--xattrs"],
  ["--format=posix", "--sparse", "--sparse-version=0.0"],
  ["--format=posix", "--sparse", "--sparse-version=0.1"],
  ["--format=posix", "--sparse", "--sparse-version=1.0"],
];

const BINARY = Buffer.from("f4ff8000610a3d", "hex");

function makeTree(directory: string): void {
  execFileSync("bash", ["-c", SCRIPT], { cwd: directory, stdio: "pipe" });
  lsetxattr(join(directory, "sub/plain"), "user.binary", BINARY);
}

function sandbox() {
  const path = mkdtempSync(join(tmpdir(), "boxship-tar-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

test("archives of GNU tar in every dialect are read", async () => {
  using box = sandbox();
  makeTree(box.path);
  const sparse = execFileSync("cat", ["sub/sparse"], { cwd: box.path, maxBuffer: 1 << 26 });
  for (const format of FORMATS) {
    const archive = execFileSync("tar", ["-c", ...format, "."], { cwd: box.path, maxBuffer: 1 << 26 });
    const seen = new Map<string, string>();
    let body = Buffer.alloc(0);
    for await (const { entry, body: content } of readTar([archive])) {
      const name = toText(entry.name);
      seen.set(name, `${entry.type}:${entry.size}:${toText(entry.linkName)}:${entry.uid}`);
      if (entry.type === "file" && name !== "./sub/sparse") continue;
      const pieces: Buffer[] = [];
      for await (const piece of content) pieces.push(piece);
      if (name === "./sub/sparse") body = Buffer.concat(pieces);
    }
    const label = format.join(" ");
    assert.ok(body.equals(sparse), `${label}: content of the sparse file`);
    assert.equal(seen.get(`./${long}`), "file:5::0", label);
    assert.equal(seen.get("./sub/long-link"), `symlink:0:${"t".repeat(150)}:0`, label);
    assert.equal(seen.get("./sub/ümläut"), "file:1::0", label);
    assert.equal(seen.get("./sub/fifo"), "fifo:0::0", label);
    assert.equal(seen.get("./sub/null"), "character:0::0", label);
    const linked = [seen.get("./sub/plain") ?? "", seen.get("./sub/hard") ?? ""].toSorted();
    assert.match(linked[0] ?? "", /^file:5::3000000$/, label);
    assert.match(linked[1] ?? "", /^link:0:.\/sub\/(?:plain|hard):3000000$/, label);
  }
});

test("fractions of seconds, times before 1970 and binary attributes are read exactly", async () => {
  using box = sandbox();
  makeTree(box.path);
  const args = ["-c", "--format=posix", "--xattrs", "sub/plain", "sub/old"];
  const archive = execFileSync("tar", args, { cwd: box.path, maxBuffer: 1 << 26 });
  const entries = await Array.fromAsync(readTar([archive]), ({ entry }) => entry);
  const [plain, old] = entries;
  assert.deepEqual([plain?.mtime, plain?.mtimeNanoseconds], [Date.UTC(2001, 1, 3, 4, 5, 6) / 1000, 789_012_345]);
  assert.deepEqual(plain?.xattrs?.get(bytesOf("user.binary")), BINARY);
  assert.equal(old?.mtime, Date.UTC(1960, 0, 1) / 1000);
});

test("V7 and ustar archives are read", async () => {
  using box = sandbox();
  const deep = `${"d".repeat(90)}/${"e".repeat(60)}`;
  mkdirSync(join(box.path, deep), { recursive: true });
  mkdirSync(join(box.path, "old"));
  writeFileSync(join(box.path, deep, "file"), "content");
  const read = async (format: string, name: string) => {
    const archive = execFileSync("tar", ["-c", `--format=${format}`, name], { cwd: box.path });
    return await Array.fromAsync(
      readTar([archive]),
      ({ entry }) => `${entry.type} ${toText(entry.name)} ${entry.size}`,
    );
  };
  assert.deepEqual(await read("ustar", `${deep}/file`), [`file ${deep}/file 7`]);
  assert.deepEqual(await read("v7", "old"), ["directory old 0"]);
});

test("GNU tar reads what is written", async () => {
  using box = sandbox();
  const body = Buffer.from("first second");
  const inputs = [
    { entry: tarEntry({ type: "directory", name: bytesOf("d"), mode: 0o1777, mtime: 1_000_000_000 }) },
    {
      entry: tarEntry({ type: "file", name: bytesOf(`d/${long}`), size: 12, uid: 3_000_000, gid: 5, mode: 0o4755 }),
      body,
    },
    {
      entry: tarEntry({
        type: "file",
        name: bytesOf("sparse"),
        size: 5_000_000,
        sparse: [
          { offset: 4096, length: 512 },
          { offset: 1_000_000, length: 6 },
        ],
        mtime: 1_000_000_000,
        mtimeNanoseconds: 250_000_000,
        xattrs: new Map([[bytesOf("user.binary"), Buffer.from("00ff0a3d00", "hex")]]),
      }),
      body: Buffer.from(`${"first ".padEnd(512, "\0")}second`),
    },
    { entry: tarEntry({ type: "link", name: bytesOf("hard"), linkName: bytesOf("sparse") }) },
    { entry: tarEntry({ type: "symlink", name: bytesOf("soft"), linkName: bytesOf("ü".repeat(80)) }) },
    { entry: tarEntry({ type: "character", name: bytesOf("null"), deviceMajor: 1, deviceMinor: 3 }) },
    { entry: tarEntry({ type: "fifo", name: bytesOf("fifo"), mtime: -5 }) },
  ];
  const archive = Buffer.concat(await Array.fromAsync(writeTar(inputs)));
  execFileSync("tar", ["-x", "--xattrs", "--xattrs-include=*", "-p", "--numeric-owner"], {
    cwd: box.path,
    input: archive,
    stdio: ["pipe", "pipe", "ignore"],
  });
  const output = execFileSync("find", [".", "-mindepth", "1", "-printf", "%p %y %m %U:%G %s %T@ %l\\n"], {
    cwd: box.path,
    encoding: "utf8",
  });
  const lines = new Map(
    output
      .trimEnd()
      .split("\n")
      .map((line) => [line.slice(0, line.indexOf(" ")), line.trimEnd()]),
  );
  assert.match(lines.get("./d") ?? "", /^.\/d d 1777 0:0 \d+ 1000000000.0000000000$/);
  assert.equal(lines.get(`./d/${long}`), `./d/${long} f 4755 3000000:5 12 0.0000000000`);
  assert.equal(lines.get("./sparse"), "./sparse f 644 0:0 5000000 1000000000.2500000000");
  assert.match(lines.get("./hard") ?? "", / 5000000 /);
  assert.match(lines.get("./soft") ?? "", new RegExp(`${"ü".repeat(80)}$`));
  assert.match(lines.get("./fifo") ?? "", / p 644 .* -5.0000000000$/);
  const content = readFileSync(join(box.path, "sparse"));
  const expected = Buffer.alloc(5_000_000);
  expected.write("first ", 4096);
  expected.write("second", 1_000_000);
  assert.ok(content.equals(expected));
  assert.equal(lgetxattr(join(box.path, "sparse"), "user.binary")?.toString("hex"), "00ff0a3d00");
});
