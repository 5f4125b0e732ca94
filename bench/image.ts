import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { busyboxTree, runProgram, type TempDir } from "@boxship/testkit";

interface Blob {
  readonly path: string;
  readonly size: number;
  readonly digest: string;
}

async function blobOf(path: string): Promise<Blob> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return { path, size: (await stat(path)).size, digest: `sha256:${hash.digest("hex")}` };
}

/** A gzip-compressed layer of a directory, and the digest of what is in it. */
async function layerOf(directory: string, archive: string): Promise<{ readonly blob: Blob; readonly diffId: string }> {
  const made = await runProgram(["tar", "-C", directory, "--owner=0", "--group=0", "-cf", archive, "."]);
  if (made.status !== 0) throw new Error(`tar: ${made.stderr}`);
  const { digest } = await blobOf(archive);
  await using target = await open(`${archive}.gz`, "w");
  await pipeline(createReadStream(archive), createGzip({ level: 4 }), target.createWriteStream());
  return { blob: await blobOf(`${archive}.gz`), diffId: digest };
}

async function upload(repository: string, blob: Blob): Promise<void> {
  const begun = await fetch(`${repository}/blobs/uploads/`, { method: "POST" });
  const location = begun.headers.get("location");
  if (begun.status !== 202 || location === null) throw new Error(`upload: ${begun.status} ${await begun.text()}`);
  const target = new URL(location, repository);
  target.searchParams.set("digest", blob.digest);
  const body = (await open(blob.path)).readableWebStream({ autoClose: true });
  const headers = { "content-length": String(blob.size), "content-type": "application/octet-stream" };
  const init = { method: "PUT", headers, body: body as ReadableStream, duplex: "half" } as RequestInit;
  const done = await fetch(target, init);
  if (done.status !== 201) throw new Error(`upload: ${done.status} ${await done.text()}`);
}

/** Pushes the directories as the layers of one image. `repository` is `http://HOST/v2/NAME`. */
export async function pushImage(
  repository: string,
  tag: string,
  layers: readonly string[],
  work: TempDir,
): Promise<void> {
  const made = [];
  for (const [index, directory] of layers.entries()) {
    made.push(await layerOf(directory, work.join(`layer-${randomBytes(4).toString("hex")}-${index}.tar`)));
  }
  const config = JSON.stringify({
    architecture: process.arch === "x64" ? "amd64" : process.arch,
    os: "linux",
    config: { Env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], Cmd: ["sh"] },
    rootfs: { type: "layers", diff_ids: made.map(({ diffId }) => diffId) },
    history: made.map(() => ({ created_by: "bench" })),
  });
  const path = work.join(`config-${randomBytes(4).toString("hex")}.json`);
  await using file = await open(path, "w");
  await file.writeFile(config);
  const configBlob = await blobOf(path);
  for (const blob of [...made.map((layer) => layer.blob), configBlob]) await upload(repository, blob);
  const type = "application/vnd.oci.image.manifest.v1+json";
  const manifest = {
    schemaVersion: 2,
    mediaType: type,
    config: {
      mediaType: "application/vnd.oci.image.config.v1+json",
      digest: configBlob.digest,
      size: configBlob.size,
    },
    layers: made.map(({ blob }) => ({
      mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
      digest: blob.digest,
      size: blob.size,
    })),
  };
  const put = await fetch(`${repository}/manifests/${tag}`, {
    method: "PUT",
    headers: { "content-type": type },
    body: JSON.stringify(manifest),
  });
  if (put.status !== 201) throw new Error(`manifest: ${put.status} ${await put.text()}`);
}

/** A layer's worth of files: half of each is random, half repeats, so that it compresses as programs do. */
async function fillLayer(directory: string, bytes: number, files: number): Promise<void> {
  const size = Math.floor(bytes / files);
  for (let index = 0; index < files; index++) {
    const folder = join(directory, `d${index % 20}`);
    await mkdir(folder, { recursive: true });
    await using file = await open(join(folder, `f${index}`), "w");
    const half = Math.floor(size / 2);
    await file.write(Buffer.concat([randomBytes(half), Buffer.alloc(size - half, "the same words again and again\n")]));
  }
}

/** Directories of `count` layers of `bytes` each; the first also holds busybox. */
export async function largeLayers(work: TempDir, count: number, bytes: number): Promise<string[]> {
  const layers: string[] = [];
  for (let index = 0; index < count; index++) {
    const directory = work.join(`large-${index}`);
    await mkdir(directory);
    if (index === 0) await busyboxTree(directory);
    await fillLayer(join(directory, `layer${index}`), bytes, 400);
    layers.push(directory);
  }
  return layers;
}
