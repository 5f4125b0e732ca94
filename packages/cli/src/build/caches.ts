import { randomBytes } from "node:crypto";
import { createWriteStream, existsSync, type WriteStream } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { finished } from "node:stream/promises";
import { systemCode } from "@boxship/base/errors";
import type { RemoteBuild } from "@boxship/build";
import { DEFAULT_TAG, parseLayoutIndex, withLayoutEntry } from "@boxship/build/layout-index";
import { Failure, FlagError } from "../failure.ts";
import type { BuildSources } from "./read-sources.ts";

type CacheFrom = NonNullable<RemoteBuild["cacheFrom"]>;
type CacheTo = NonNullable<RemoteBuild["cacheTo"]>;
type ExportOptions = NonNullable<Extract<CacheTo[number], { readonly kind: "registry" }>["options"]>;

/** `type=registry,ref=NAME`, `type=local,src=DIRECTORY`, or a name alone. */
export function parseCacheFrom(texts: readonly string[]): {
  readonly caches: CacheFrom;
  readonly directories: BuildSources["directories"];
} {
  const directories: { readonly path: string; readonly prefix: string; readonly ignore: readonly string[] }[] = [];
  const caches = texts.map((text, index): CacheFrom[number] => {
    const { type, fields } = readFields("--cache-from", text, ["ref", "src", "digest", "tag"]);
    if (type === "registry") return { kind: "registry", reference: requiredField("--cache-from", type, fields, "ref") };
    if (type !== "local") throw unknownType("--cache-from", type);
    const path = requiredField("--cache-from", type, fields, "src");
    // The engine tells of one that is missing, and builds without it.
    if (existsSync(path)) directories.push({ path, prefix: `cache/${index}`, ignore: [] });
    const [digest, tag] = [fields.get("digest"), fields.get("tag")];
    return {
      kind: "files",
      name: path,
      ...(digest === undefined ? {} : { digest }),
      ...(tag === undefined ? {} : { tag }),
    };
  });
  return { caches, directories };
}

/** A `--cache-to`, and the directory here that it goes to. */
export interface CacheTarget {
  readonly remote: CacheTo[number];
  readonly directory?: string;
  readonly tag: string;
}

const EXPORT_FIELDS = [
  "ref",
  "dest",
  "tag",
  "mode",
  "compression",
  "compression-level",
  "force-compression",
  "image-manifest",
  "oci-mediatypes",
  "ignore-error",
];

/** `type=inline`, `type=registry,ref=NAME`, `type=local,dest=DIRECTORY`, or a name alone. */
export function parseCacheTo(texts: readonly string[]): Promise<readonly CacheTarget[]> {
  return Promise.all(
    texts.map(async (text) => {
      const { type, fields } = readFields("--cache-to", text, EXPORT_FIELDS);
      const tag = fields.get("tag") ?? DEFAULT_TAG;
      const options = exportOptions(fields);
      switch (type) {
        case "inline":
          return { remote: { kind: "inline" } as const, tag };
        case "registry": {
          const reference = requiredField("--cache-to", type, fields, "ref");
          return { remote: { kind: "registry", reference, options } as const, tag };
        }
        case "local": {
          const directory = requiredField("--cache-to", type, fields, "dest");
          return { remote: { kind: "files", have: await digestsIn(directory), options } as const, directory, tag };
        }
        default:
          throw unknownType("--cache-to", type);
      }
    }),
  );
}

function exportOptions(fields: ReadonlyMap<string, string>): ExportOptions {
  const mode = fields.get("mode") ?? "min";
  if (mode !== "min" && mode !== "max") throw new FlagError(`--cache-to: mode is min or max, not ${mode}`);
  const isTrue = (name: string, otherwise: boolean) => readTruth("--cache-to", name, fields.get(name), otherwise);
  return {
    mode,
    imageManifest: isTrue("image-manifest", true),
    ociMediaTypes: isTrue("oci-mediatypes", true),
    ignoreError: isTrue("ignore-error", false),
    ...readCompression("--cache-to", fields),
  };
}

/** `compression`, `compression-level` and `force-compression` of an output or a cache. */
export function readCompression(
  flag: string,
  fields: ReadonlyMap<string, string>,
): { readonly compression?: "none" | "gzip" | "zstd"; readonly level?: number; readonly force?: boolean } {
  const name = fields.get("compression");
  const level = fields.get("compression-level");
  if (name !== undefined && !["uncompressed", "gzip", "zstd"].includes(name))
    throw new FlagError(`${flag}: compression is uncompressed, gzip or zstd, not ${name}`);
  if (level !== undefined && (!/^\d{1,2}$/.test(level) || Number(level) > 22))
    throw new FlagError(`${flag}: compression-level is between 0 and 22, not ${level}`);
  const force = readTruth(flag, "force-compression", fields.get("force-compression"), false);
  return {
    ...(name === undefined ? {} : { compression: name === "uncompressed" ? "none" : (name as "gzip" | "zstd") }),
    ...(level === undefined ? {} : { level: Number(level) }),
    ...(force ? { force } : {}),
  };
}

export function readTruth(flag: string, name: string, value: string | undefined, otherwise: boolean): boolean {
  if (value === undefined) return otherwise;
  if (value === "true" || value === "1") return true;
  if (value === "false" || value === "0") return false;
  throw new FlagError(`${flag}: ${name} is true or false, not ${value}`);
}

function readFields(
  flag: string,
  text: string,
  known: readonly string[],
): { readonly type: string; readonly fields: ReadonlyMap<string, string> } {
  if (!text.includes("=")) return { type: "registry", fields: new Map([["ref", text]]) };
  const fields = new Map(
    text.split(",").map((field): [string, string] => {
      const equals = field.indexOf("=");
      if (equals < 1) throw new FlagError(`${flag}: ${JSON.stringify(field)} is not NAME=VALUE`);
      return [field.slice(0, equals), field.slice(equals + 1)];
    }),
  );
  const type = fields.get("type") ?? "";
  fields.delete("type");
  if (type === "") throw new FlagError(`${flag}: type is required`);
  for (const name of fields.keys()) if (!known.includes(name)) throw new FlagError(`${flag}: unknown field ${name}`);
  return { type, fields };
}

function requiredField(flag: string, type: string, fields: ReadonlyMap<string, string>, name: string): string {
  const value = fields.get(name);
  if (value === undefined || value === "") throw new FlagError(`${flag}: ${name} is required for type ${type}`);
  return value;
}

function unknownType(flag: string, type: string): FlagError {
  return new FlagError(
    `${flag}: type ${type} is not supported: use registry, local${flag === "--cache-to" ? " or inline" : ""}`,
  );
}

const BLOBS = "blobs/sha256";

/** Digests of the blobs in a layout. */
async function digestsIn(directory: string): Promise<readonly string[]> {
  try {
    const names = await readdir(join(directory, BLOBS));
    return names.filter((name) => /^[0-9a-f]{64}$/.test(name)).map((name) => `sha256:${name}`);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}

/** Writes a cache that comes back from the engine into its directory, in OCI layout. */
export class CacheWriter implements AsyncDisposable {
  readonly #target: CacheTarget;
  #blob: { readonly digest: string; readonly part: string; readonly stream: WriteStream } | undefined;

  constructor(target: CacheTarget) {
    this.#target = target;
  }

  get #directory(): string {
    const { directory } = this.#target;
    if (directory === undefined) throw new Failure("the engine sends a cache that nobody asked for");
    return directory;
  }

  async write(digest: string, bytes: Buffer): Promise<void> {
    if (!/^sha256:[0-9a-f]{64}$/.test(digest)) throw new Failure(`the engine sends a blob ${JSON.stringify(digest)}`);
    if (this.#blob?.digest !== digest) {
      await this.#finishBlob();
      const part = join(this.#directory, BLOBS, `.part-${randomBytes(6).toString("hex")}`);
      await mkdir(dirname(part), { recursive: true });
      this.#blob = { digest, part, stream: createWriteStream(part) };
    }
    const { stream } = this.#blob;
    await new Promise<void>((resolve, reject) => {
      stream.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  async #finishBlob(): Promise<void> {
    const blob = this.#blob;
    if (blob === undefined) return;
    blob.stream.end();
    await finished(blob.stream);
    await rename(blob.part, join(this.#directory, BLOBS, blob.digest.slice("sha256:".length)));
    this.#blob = undefined;
  }

  async finish(manifest: Parameters<typeof withLayoutEntry>[1]): Promise<void> {
    await this.#finishBlob();
    const index = join(this.#directory, "index.json");
    let before = { manifests: [] } as ReturnType<typeof parseLayoutIndex>;
    try {
      before = parseLayoutIndex(await readFile(index, "utf8"));
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
    }
    await writeFile(join(this.#directory, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
    await writeFile(`${index}.new`, JSON.stringify(withLayoutEntry(before, manifest, this.#target.tag)));
    await rename(`${index}.new`, index);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#blob === undefined) return;
    this.#blob.stream.destroy();
    await rm(this.#blob.part, { force: true });
  }
}
