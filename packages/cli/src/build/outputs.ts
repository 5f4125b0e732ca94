import { mkdir } from "node:fs/promises";
import type { Readable } from "node:stream";
import type { RemoteBuild, RemoteOutput } from "@boxship/build";
import { unpackInto } from "../archive/unpack.ts";
import { splitCsv } from "../container-options/csv.ts";
import type { Context } from "../context.ts";
import { Failure, FlagError } from "../failure.ts";
import { writeOutput } from "../shared/write-output.ts";
import { readCompression, readTruth } from "./caches.ts";

/** One `--output`, and where on this side it goes. */
export interface BuildOutput {
  readonly remote: RemoteOutput;
  /** A file, `-` for standard output, or a directory for `local`; undefined where nothing comes back. */
  readonly destination?: string;
  readonly directory: boolean;
  /** How layers are made. */
  readonly options?: Pick<RemoteBuild, "compression" | "compressionLevel" | "forceCompression" | "mediaTypes">;
}

const FIELDS = new Set([
  "type",
  "dest",
  "name",
  "push",
  "compression",
  "compression-level",
  "force-compression",
  "oci-mediatypes",
]);

/** Reads `type=tar,dest=FILE` and a plain path, which is a directory, or `-`. */
export function parseOutput(text: string, names: readonly string[]): BuildOutput {
  if (!text.includes("=")) {
    if (text === "-") return { remote: { kind: "tar" }, destination: "-", directory: false };
    return { remote: { kind: "tar" }, destination: text, directory: true };
  }
  const fields = new Map(splitCsv(text).map((field) => splitAt(field)));
  const type = fields.get("type") ?? "local";
  const own = fields.get("name");
  const tags = own === undefined ? names : own.split(",");
  for (const key of fields.keys()) {
    if (!FIELDS.has(key)) throw new FlagError(`--output: unknown field ${key}`);
  }
  return { ...outputOf(type, fields, tags), options: layerOptions(fields) };
}

function outputOf(type: string, fields: ReadonlyMap<string, string>, tags: readonly string[]): BuildOutput {
  const destination = fields.get("dest");
  const to = (remote: RemoteOutput, directory = false): BuildOutput => {
    if (destination === undefined) throw new FlagError(`--output: dest is required for ${type} exporter`);
    return { remote, destination, directory };
  };
  switch (type) {
    case "image":
      return {
        remote: { kind: "image", names: tags, push: readTruth("--output", "push", fields.get("push"), false) },
        directory: false,
      };
    case "registry":
      return { remote: { kind: "image", names: tags, push: true }, directory: false };
    case "docker":
      if (destination === undefined) return { remote: { kind: "image", names: tags }, directory: false };
      return to({ kind: "docker", names: tags });
    case "oci":
      return to({ kind: "oci", names: tags });
    case "tar":
      return to({ kind: "tar" });
    case "local":
      return to({ kind: "tar" }, true);
    case "cacheonly":
      return { remote: { kind: "none" }, directory: false };
    default:
      throw new FlagError(`--output: unknown type ${type}`);
  }
}

function layerOptions(fields: ReadonlyMap<string, string>): NonNullable<BuildOutput["options"]> {
  const { compression, level, force } = readCompression("--output", fields);
  const isOci = readTruth("--output", "oci-mediatypes", fields.get("oci-mediatypes"), true);
  return {
    ...(compression === undefined ? {} : { compression }),
    ...(level === undefined ? {} : { compressionLevel: level }),
    ...(force === undefined ? {} : { forceCompression: force }),
    ...(isOci || compression === "zstd" ? {} : { mediaTypes: "docker" as const }),
  };
}

function splitAt(field: string): readonly [string, string] {
  const equals = field.indexOf("=");
  return equals === -1 ? [field, "true"] : [field.slice(0, equals), field.slice(equals + 1)];
}

/** Puts an output's bytes into its file, which appears when it is whole, or its directory. */
export async function keepOutput(context: Context, output: BuildOutput, bytes: Readable): Promise<void> {
  const { destination = "", directory } = output;
  if (directory) {
    await mkdir(destination, { recursive: true });
    await unpackInto(bytes, { directory: destination });
    return;
  }
  if (destination === "-" && context.stdout.isTTY) {
    throw new Failure("the output is an archive, and standard output is a terminal", { remedy: "use --output FILE" });
  }
  await writeOutput(context, bytes, destination);
}
