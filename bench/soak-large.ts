import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readFileSync, renameSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { crc32 } from "node:zlib";
import { startRegistry } from "@boxship/testkit";
import { commandLine } from "./context.ts";

/**
 * Sends one large layer along every path that layers take, and looks at the most memory that each command had. It must
 * not grow with the layer: a small one goes along the same paths before.
 */

/** MB that a large layer may take beyond a small one: pieces that V8 has not collected yet, of however many there were. */
const MOST_GROWTH = 128;
const SMALL = 64;
const PIECE = 16 * 1024 * 1024;

interface Measured {
  readonly path: string;
  readonly small: number;
  readonly large: number;
  readonly seconds: number;
}

const { values } = parseArgs({
  options: { megabytes: { type: "string", default: "4096" }, directory: { type: "string", default: tmpdir() } },
});
const large = Number(values.megabytes);
if (!Number.isInteger(large) || large < 2 * SMALL) throw new Error(`--megabytes is at least ${2 * SMALL}`);

/** Writes a layer without compression's work: stored blocks of gzip hold one random file of an archive. */
async function writeLayer(
  file: FileHandle,
  megabytes: number,
): Promise<{ digest: string; size: number; diffId: string }> {
  const [packed, plain] = [createHash("sha256"), createHash("sha256")];
  let size = 0;
  const write = async (bytes: Buffer) => {
    packed.update(bytes);
    size += bytes.length;
    await file.writeFile(bytes);
  };
  await write(Buffer.from("1f8b08000000000000ff", "hex"));
  let crc = 0;
  let total = 0;
  const stored = async (bytes: Buffer, last: boolean) => {
    plain.update(bytes);
    crc = crc32(bytes, crc);
    total += bytes.length;
    const parts: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += 65_535) {
      const part = bytes.subarray(at, at + 65_535);
      const head = Buffer.alloc(5);
      head[0] = last && at + part.length === bytes.length ? 1 : 0;
      head.writeUInt16LE(part.length, 1);
      head.writeUInt16LE(~part.length & 0xffff, 3);
      parts.push(head, part);
    }
    await write(Buffer.concat(parts));
  };
  await stored(tarHeader("data", megabytes * 1024 * 1024), false);
  const random = randomBytes(PIECE);
  for (let left = megabytes * 1024 * 1024; left > 0; left -= PIECE) {
    random.writeDoubleLE(left, 0);
    await stored(random.subarray(0, Math.min(left, PIECE)), false);
  }
  await stored(Buffer.alloc(1024), true);
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc, 0);
  trailer.writeUInt32LE(total % 2 ** 32, 4);
  await write(trailer);
  return { digest: packed.digest("hex"), size, diffId: plain.digest("hex") };
}

function tarHeader(name: string, size: number): Buffer {
  const block = Buffer.alloc(512);
  const octal = (value: number, at: number, width: number) =>
    block.write(`${value.toString(8).padStart(width - 1, "0")}\0`, at, "latin1");
  block.write(name, 0);
  octal(0o644, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  block.write("        0", 148, "latin1");
  block.write("ustar\x0000", 257, "latin1");
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return block;
}

/** A layout with one image of one layer. */
async function makeLayout(directory: string, megabytes: number): Promise<void> {
  const blobs = join(directory, "blobs/sha256");
  mkdirSync(blobs, { recursive: true });
  const type = "application/vnd.oci.image";
  const put = (mediaType: string, value: object) => {
    const bytes = Buffer.from(JSON.stringify(value));
    const hex = createHash("sha256").update(bytes).digest("hex");
    writeFileSync(join(blobs, hex), bytes);
    return { mediaType: `${type}.${mediaType}`, digest: `sha256:${hex}`, size: bytes.length };
  };
  const path = join(directory, "layer");
  await using file = await open(path, "w");
  const layer = await writeLayer(file, megabytes);
  renameSync(path, join(blobs, layer.digest));
  const rootfs = { type: "layers", diff_ids: [`sha256:${layer.diffId}`] };
  const config = put("config.v1+json", { architecture: "amd64", os: "linux", rootfs });
  const digest = `sha256:${layer.digest}`;
  const layers = [{ mediaType: `${type}.layer.v1.tar+gzip`, digest, size: layer.size }];
  const manifest = put("manifest.v1+json", { schemaVersion: 2, mediaType: `${type}.manifest.v1+json`, config, layers });
  writeFileSync(join(directory, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(directory, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [manifest] }));
}

/** Runs a command of the program. @returns the most memory that it had, in MB */
async function most(args: readonly string[]): Promise<number> {
  const [program, ...before] = commandLine();
  const child: ChildProcess = spawn(program, [...before, ...args], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, COSIGN_PASSWORD: "secret", TMPDIR: values.directory },
  });
  let peak = 0;
  const look = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      peak = Math.max(peak, Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024);
    } catch {
      // It has ended.
    }
  }, 20);
  try {
    const [code] = (await once(child, "exit")) as [number | null];
    if (code !== 0) throw new Error(`${args.join(" ")}: ended with ${code}`);
  } finally {
    clearInterval(look);
  }
  return Math.round(peak);
}

const work = await mkdtemp(join(values.directory, "boxship-soak-"));
try {
  const { bavail, bsize } = statfsSync(work);
  if (bavail * bsize < 6 * large * 1024 * 1024) throw new Error(`${work} has too little room: see --directory`);
  const at = (...names: readonly string[]) => join(work, ...names);
  await most(["key", "generate", "--output-key-prefix", at("key")]);
  const peaks: Map<string, number>[] = [];
  const times = new Map<string, number>();
  for (const megabytes of [SMALL, large]) {
    const found = new Map<string, number>();
    peaks.push(found);
    await makeLayout(at("source"), megabytes);
    await using one = await startRegistry();
    await using two = await startRegistry();
    const [here, there] = [`${one.host}/soak/a:1`, `${two.host}/soak/b:1`];
    const copy = (from: string, to: string) => ["skopeo", "copy", "-q", from, to];
    const source = `oci:${at("source")}`;
    const steps: readonly (readonly [string, readonly string[], readonly string[]])[] = [
      ["layout to registry", copy(source, `docker://${here}`), []],
      ["registry to registry", copy(`docker://${here}`, `docker://${there}`), []],
      ["registry to layout", copy(`docker://${here}`, `oci:${at("layout")}:1`), ["layout"]],
      ["registry to directory", copy(`docker://${here}`, `dir:${at("dir")}`), ["dir"]],
      ["layout to directory", copy(source, `dir:${at("dir")}`), ["dir"]],
      ["layout to OCI archive", copy(source, `oci-archive:${at("oci.tar")}:x`), []],
      ["OCI archive to registry", copy(`oci-archive:${at("oci.tar")}`, `docker://${one.host}/soak/c:1`), ["oci.tar"]],
      ["layout to Docker's archive", copy(source, `docker-archive:${at("docker.tar")}:x:1`), []],
      [
        "Docker's archive to directory",
        copy(`docker-archive:${at("docker.tar")}`, `dir:${at("dir")}`),
        ["dir", "docker.tar"],
      ],
      ["bill of materials of a layout", ["image", "sbom", "-o", at("sbom.json"), source], []],
      ["bill of materials of a registry's", ["image", "sbom", "-o", at("sbom.json"), `docker://${here}`], []],
      ["sign", ["sign", "--key", at("key.key"), here], []],
      ["verify", ["verify", "--key", at("key.pub"), here], []],
    ];
    for (const [name, args, obsolete] of steps) {
      const start = performance.now();
      found.set(name, await most(args));
      times.set(name, (performance.now() - start) / 1000);
      for (const file of obsolete) rmSync(at(file), { recursive: true, force: true });
    }
    rmSync(at("source"), { recursive: true });
  }
  const [small, big] = peaks;
  const measured: Measured[] = [...(big ?? [])].map(([path, peak]) => {
    return { path, small: small?.get(path) ?? 0, large: peak, seconds: times.get(path) ?? 0 };
  });
  process.stdout.write(`${"path".padEnd(36)}${`${SMALL} MB`.padStart(10)}${`${large} MB`.padStart(10)}   seconds\n`);
  for (const { path, small: less, large: more, seconds } of measured) {
    const line = `${path.padEnd(36)}${String(less).padStart(10)}${String(more).padStart(10)}${seconds.toFixed(1).padStart(10)}\n`;
    process.stdout.write(line);
  }
  const grown = measured.filter((one) => one.large - one.small > MOST_GROWTH);
  for (const { path, small: less, large: more } of grown) {
    process.stdout.write(`${path}: ${more - less} MB more with the large layer, ${MOST_GROWTH} are allowed\n`);
  }
  process.exitCode = grown.length === 0 ? 0 : 1;
} finally {
  await rm(work, { recursive: true, force: true });
}
