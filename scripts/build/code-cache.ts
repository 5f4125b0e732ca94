import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { runPart } from "./launcher.ts";

/** A registry of one image, for a run that is recorded. */
const registry = `function serveImage(served) {
  const { createHash } = require("node:crypto");
  const { createServer } = require("node:http");
  const blobs = new Map();
  const keep = (type, bytes) => {
    const digest = "sha256:" + createHash("sha256").update(bytes).digest("hex");
    blobs.set(digest, { type: "application/vnd.oci.image." + type, bytes });
    return { mediaType: "application/vnd.oci.image." + type, digest, size: bytes.length };
  };
  const layer = keep("layer.v1.tar+gzip", Buffer.alloc(2e6));
  const [os, architecture] = ["linux", process.arch === "x64" ? "amd64" : process.arch];
  const rootfs = { type: "layers", diff_ids: [layer.digest] };
  const config = keep("config.v1+json", Buffer.from(JSON.stringify({ architecture, os, config: {}, rootfs })));
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = keep("manifest.v1+json", Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [layer] })));
  blobs.set("1", blobs.get(manifest.digest));
  const server = createServer(({ url }, response) => {
    const { type, bytes } = blobs.get(url.split("/").at(-1)) ?? { type: "application/json", bytes: Buffer.from("{}") };
    response.writeHead(200, { "content-type": type, "content-length": bytes.length }).end(bytes);
  });
  server.listen(0, "127.0.0.1", () => served("127.0.0.1:" + server.address().port));
  server.unref();
}`;

/**
 * Runs a part and keeps what V8 compiled for it. The image that `IMAGE` stands for is in a registry. A service tells its
 * parent when it is ready, which ends it.
 */
const recorder = `"use strict";
const { readFileSync, writeFileSync } = require("node:fs");
const [directory, file, cache, ...words] = process.argv.splice(1);
globalThis[Symbol.for("boxship.bundle")] = { file: (part) => directory + "/" + part + ".cjs" };
let script;
process.connected = true;
process.send = (message, sent) => { sent(); if (message.ready) process.kill(process.pid, "SIGTERM"); };
process.on("exit", () => { if (script !== undefined) writeFileSync(cache, script.createCachedData()); });
serveImage((host) => {
  process.argv.push(file, ...words.map((word) => word === "IMAGE" ? "docker://" + host + "/recorded:1" : word));
  script = runPart(file, readFileSync(file, "utf8"));
});
${registry}
${runPart}`;

interface Recorded {
  /** Run before, for what the words need. */
  readonly before?: readonly string[];
  readonly words: readonly string[];
}

/**
 * What is recorded of each part that people wait for: what most of its runs begin with.
 *
 * @param made a directory that is there, and goes afterwards
 */
function recordedWords(made: string): Readonly<Record<string, Recorded>> {
  const unsure = ["--src-no-creds", "--src-tls-verify=false"];
  const place = ["--name", "recorded", "--root", made, "--run-dir", `${made}/run`];
  return {
    cli: { words: ["--version"] },
    // Without a node: what is made is in its directories, and nothing of the machine is touched.
    cluster: { words: ["cluster-process", ...place, "--port", "0", "--kubeconfig", `${made}/kubeconfig`] },
    helm: { before: ["helm", "create", `${made}/web`], words: ["helm", "template", "web", `${made}/web`] },
    skopeo: { words: ["skopeo", "--insecure-policy", "copy", "--quiet", ...unsure, "IMAGE", `oci:${made}/image:1`] },
  };
}

/**
 * Writes V8's code caches of parts beside them, for a Node of this version with these flags: reading the JavaScript is two
 * thirds of a start. V8 refuses a cache that is not for it, and then it costs what it did.
 *
 * @param directory the directory of the parts' files
 * @returns the caches' files, by name
 */
export function writeCodeCaches(directory: string, flags: readonly string[]): Readonly<Record<string, string>> {
  const made = join(directory, "recorded");
  const caches: Record<string, string> = {};
  for (const [part, { before, words }] of Object.entries(recordedWords(made))) {
    const file = join(directory, `${part}.cjs`);
    if (!existsSync(file)) continue;
    const cache = join(directory, `${part}.cache`);
    mkdirSync(made);
    for (const run of [...(before === undefined ? [] : [before]), words]) {
      const args = [...flags, "-e", recorder, "--", directory, file, cache, ...run];
      const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
      if (status !== 0) throw new Error(`no code cache of ${part} could be made: ${stderr}`);
    }
    rmSync(made, { recursive: true, force: true });
    caches[`${part}.cache`] = cache;
  }
  return caches;
}
