import { InvalidArgument, Unsupported } from "@boxship/base";
import type { CacheExport, CacheExportOptions, CacheImport } from "../../contract.ts";
import type { ClientSession } from "../session/client-session.ts";
import { sessionSink, sessionStore } from "../session/content-store.ts";

/** A cache that is named by a client: its type, and what is said of it. */
export interface CacheEntry {
  readonly type: string;
  readonly attributes: Readonly<Record<string, string>>;
}

const EXPORT_ATTRIBUTES = new Set([
  "compression",
  "compression-level",
  "dest",
  "force-compression",
  "ignore-error",
  "image-manifest",
  "mode",
  "oci-mediatypes",
  "ref",
  "tag",
]);
const IMPORT_ATTRIBUTES = new Set(["digest", "ref", "src", "tag"]);

/** @throws InvalidArgument and Unsupported, naming type and attribute */
export function readCacheImport({ type, attributes }: CacheEntry, session: ClientSession): CacheImport {
  if (type !== "registry" && type !== "local") return refuseType("import", type);
  refuseUnknown("import", type, attributes, IMPORT_ATTRIBUTES);
  if (type === "registry") return { kind: "registry", reference: required(attributes, "ref", "import", type) };
  const source = required(attributes, "src", "import", type);
  return { kind: "store", name: source, store: sessionStore(session, `local:${source}`, attributes["digest"]) };
}

/** @throws InvalidArgument and Unsupported, naming type and attribute */
export function readCacheExport({ type, attributes }: CacheEntry, session: ClientSession): CacheExport {
  if (type !== "registry" && type !== "local" && type !== "inline") return refuseType("export", type);
  refuseUnknown("export", type, attributes, EXPORT_ATTRIBUTES);
  if (type === "inline") return { kind: "inline" };
  const options = exportOptions(attributes);
  if (type === "registry") return { kind: "registry", reference: required(attributes, "ref", "export", type), options };
  const destination = required(attributes, "dest", "export", type);
  return { kind: "store", sink: sessionSink(session, `local:${destination}`), options };
}

function refuseType(what: string, type: string): never {
  throw new Unsupported(`cache ${what} of type ${type} is not supported`, {
    remedy: "use type=registry, local or inline",
  });
}

function refuseUnknown(
  what: string,
  type: string,
  attributes: CacheEntry["attributes"],
  known: ReadonlySet<string>,
): void {
  const name = Object.keys(attributes).find((attribute) => !known.has(attribute));
  if (name !== undefined) throw new Unsupported(`attribute ${name} of cache ${what} ${type} is not supported`);
}

function required(attributes: CacheEntry["attributes"], name: string, what: string, type: string): string {
  const value = attributes[name];
  if (value === undefined || value === "") throw new InvalidArgument(`cache ${what} of type ${type} needs ${name}`);
  return value;
}

/** What is said of a cache that is written. @throws InvalidArgument, Unsupported */
export function exportOptions(attributes: CacheEntry["attributes"]): CacheExportOptions {
  const mode = attributes["mode"] ?? "min";
  if (mode !== "min" && mode !== "max") throw new InvalidArgument(`invalid mode '${mode}' of a cache: use min or max`);
  return {
    mode,
    compression: readCompression(attributes["compression"]),
    level: readLevel(attributes["compression-level"]),
    force: readTruth(attributes["force-compression"], "force-compression", false),
    imageManifest: readTruth(attributes["image-manifest"], "image-manifest", true),
    ociMediaTypes: readTruth(attributes["oci-mediatypes"], "oci-mediatypes", true),
    ignoreError: readTruth(attributes["ignore-error"], "ignore-error", false),
  };
}

/** @throws Unsupported */
export function readCompression(value: string | undefined): "none" | "gzip" | "zstd" | undefined {
  switch (value) {
    case undefined:
    case "":
      return undefined;
    case "uncompressed":
      return "none";
    case "gzip":
    case "zstd":
      return value;
    default:
      throw new Unsupported(`compression ${value} is not supported`, { remedy: "use uncompressed, gzip or zstd" });
  }
}

/** @throws InvalidArgument */
export function readLevel(value: string | undefined): number | undefined {
  if (value === undefined || value === "") return undefined;
  if (!/^\d{1,2}$/.test(value) || Number(value) > 22)
    throw new InvalidArgument(`compression-level: '${value}' is not between 0 and 22`);
  return Number(value);
}

/** @throws InvalidArgument */
export function readTruth(value: string | undefined, name: string, otherwise: boolean): boolean {
  if (value === undefined || value === "") return otherwise;
  if (/^(?:1|t|true)$/i.test(value)) return true;
  if (/^(?:0|f|false)$/i.test(value)) return false;
  throw new InvalidArgument(`${name}: '${value}' is neither true nor false`);
}
