import { InvalidArgument, Unsupported } from "@boxship/base";
import type { Attestations, BuildRequest } from "../../contract.ts";
import type { CacheEntry } from "./cache-options.ts";
import { parseCsv } from "./csv.ts";

/** Where a context comes from, before anybody looked at it. */
export type ContextReference =
  /** A directory that the client shares under this name. */
  | { readonly kind: "local"; readonly name: string }
  | { readonly kind: "git" | "http" | "image"; readonly reference: string }
  /** An archive that the client sends when it is asked. */
  | { readonly kind: "upload"; readonly id: string }
  /** An archive that comes in the body of a request. */
  | { readonly kind: "body"; readonly id: string }
  /** The result of another build of the same client. */
  | { readonly kind: "input"; readonly key: string }
  /** An image in a layout at the client. */
  | { readonly kind: "layout"; readonly store: string; readonly digest: string }
  | { readonly kind: "empty" };

/** What a client asks of the Containerfile frontend, read from its options. */
export interface FrontendOptions {
  readonly filename: string;
  readonly context: ContextReference;
  /** The directory that has the Containerfile, when it does not come with the context. */
  readonly dockerfileDirectory: string | undefined;
  readonly contexts: Readonly<Record<string, ContextReference>>;
  /** The session that shares a directory, where it is not the build's own. */
  readonly directorySessions: Readonly<Record<string, string>>;
  readonly keepGitDirectory: boolean;
  readonly cacheImports: readonly CacheEntry[];
  /** A question about the file, instead of a build: `lint`. */
  readonly call: string | undefined;
  /** The rest, as the solver takes it. */
  readonly request: Omit<BuildRequest, "file" | "context" | "contexts" | "outputs">;
}

/** The name under which everything that is not a directory is uploaded; see {@link ContextReference}. */
const UPLOAD_HOST = "buildkit-session";

const BODY_PATH = "/body/";

const GIT_URL = /^(?:git:\/\/|git@|ssh:\/\/|github\.com\/)|^https?:\/\/.*\.git(?:[#?]|$)/;

/** Says something about the client, or is looked at elsewhere. */
const SILENT =
  /^(?:vcs:|sharedkey:localdir:|input-metadata:|local-sessionid:|context:|build-arg:|label:|attest:|input:|cmdline$)/;

/** Every option of the frontend that is known, so that others are refused. */
const KNOWN = new Set([
  "add-hosts",
  "cache-from",
  "cache-imports",
  "cgroup-parent",
  "context",
  "contextkey",
  "cpuperiod",
  "cpuquota",
  "cpusetcpus",
  "cpusetmems",
  "cpushares",
  "dockerfilekey",
  "filename",
  "force-network-mode",
  "frontend.caps",
  "image-resolve-mode",
  "memory",
  "memswap",
  "multi-platform",
  "no-cache",
  "platform",
  "requestid",
  "shm-size",
  "target",
  "ulimit",
]);

const CAPABILITIES = new Set([
  "moby.buildkit.frontend.inputs",
  "moby.buildkit.frontend.contexts",
  "moby.buildkit.frontend.subrequests",
]);

type Options = Readonly<Record<string, string>>;

/** Reads a frontend's options. @throws InvalidArgument and Unsupported, naming the option */
export function parseFrontendOptions(options: Options): FrontendOptions {
  refuseUnknown(options);
  const args = prefixed(options, "build-arg:");
  const context = options["context"];
  const local = options["contextkey"] ?? "context";
  return {
    filename: options["filename"] ?? "Dockerfile",
    context:
      context === undefined || context === "" ? { kind: "local", name: local } : remoteContext(context, "context"),
    dockerfileDirectory:
      options["dockerfilekey"] ?? (context === undefined || context === "" ? "dockerfile" : undefined),
    contexts: namedContexts(prefixed(options, "context:")),
    directorySessions: prefixed(options, "local-sessionid:"),
    call: options["requestid"]?.replace(/^frontend\./, ""),
    keepGitDirectory: truth(args["BUILDKIT_CONTEXT_KEEP_GIT_DIR"]),
    cacheImports: [...cacheImports(options["cache-imports"]), ...cacheFrom(options["cache-from"])],
    request: {
      args,
      labels: prefixed(options, "label:"),
      ...optional("target", options["target"]),
      ...optional("platforms", list(options["platform"])),
      ...noCache(options["no-cache"]),
      ...pull(options["image-resolve-mode"]),
      ...network(options["force-network-mode"]),
      ...optional("extraHosts", parseCsv(options["add-hosts"], "add-hosts").map(extraHost)),
      ...optional("shmSize", integer(options["shm-size"], "shm-size")),
      ...optional("ulimits", parseCsv(options["ulimit"], "ulimit").map(ulimit)),
      ...optional("cgroupParent", options["cgroup-parent"]),
      ...optional("resources", resources(options)),
      ...optional("attestations", attestations(prefixed(options, "attest:"))),
      history: "buildkit",
    },
  };
}

function refuseUnknown(options: Options): void {
  for (const [name, value] of Object.entries(options)) {
    if (name === "hostname" || name === "build-arg:BUILDKIT_SANDBOX_HOSTNAME")
      throw new Unsupported("a hostname for RUN is not supported");
    if (name === "build-arg:BUILDKIT_CACHE_MOUNT_NS") throw new Unsupported(`${name.slice(10)} is not supported`);
    if (!KNOWN.has(name) && !SILENT.test(name)) throw new Unsupported(`frontend option ${name} is not supported`);
    if (name === "frontend.caps") value.split(",").forEach(requireCapability);
  }
}

function requireCapability(capability: string): void {
  const name = capability.replace(/\+forward$/, "");
  if (name !== "" && !CAPABILITIES.has(name))
    throw new Unsupported(`capability ${name} of the frontend is not supported`);
}

function prefixed(options: Options, prefix: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(options).flatMap(([name, value]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), value] as const] : [],
    ),
  );
}

/** A context that is an address. */
function remoteContext(value: string, name: string): ContextReference {
  if (GIT_URL.test(value)) return { kind: "git", reference: value };
  const url = URL.parse(value);
  if (url !== null && (url.protocol === "http:" || url.protocol === "https:")) {
    if (url.host === UPLOAD_HOST && url.pathname.startsWith(BODY_PATH))
      return { kind: "body", id: decodeURIComponent(url.pathname.slice(BODY_PATH.length)) };
    if (url.host === UPLOAD_HOST) return { kind: "upload", id: url.pathname };
    return { kind: "http", reference: value };
  }
  throw new InvalidArgument(`context ${name}: '${value}' is neither a git repository nor an HTTP address`);
}

/** A name with a platform (`base::linux/amd64`) is the same context: this builder gives one for all platforms. */
function namedContexts(contexts: Options): Readonly<Record<string, ContextReference>> {
  return Object.fromEntries(
    Object.entries(contexts).map(([name, value]) => [name.replace(/::.*$/, ""), namedContext(name, value)]),
  );
}

function namedContext(name: string, value: string): ContextReference {
  const colon = value.indexOf(":");
  const [scheme, rest] = [value.slice(0, Math.max(colon, 0)), value.slice(colon + 1)];
  switch (scheme) {
    case "docker-image": {
      const reference = rest.replace(/^\/\//, "");
      return reference === "scratch" ? { kind: "empty" } : { kind: "image", reference };
    }
    case "local":
      return { kind: "local", name: rest };
    case "input":
      return { kind: "input", key: rest };
    case "oci-layout":
      return layoutContext(name, rest);
    default:
      return remoteContext(value, name);
  }
}

/** `//STORE@sha256:…`, the client having looked up the digest. */
function layoutContext(name: string, text: string): ContextReference {
  const match = /^\/\/(.+?)(?::[^@/]*)?@(sha\d+:[0-9a-f]+)$/.exec(text);
  if (match === null) throw new InvalidArgument(`context ${name}: oci-layout:${text} names no digest`);
  return { kind: "layout", store: match[1] ?? "", digest: match[2] ?? "" };
}

function noCache(value: string | undefined): Pick<BuildRequest, "noCache"> {
  if (value === undefined) return {};
  return { noCache: value === "" ? true : value.split(",") };
}

function pull(value: string | undefined): Pick<BuildRequest, "pull"> {
  switch (value) {
    case undefined:
    case "":
    case "default":
    case "local":
      return {};
    case "pull":
      return { pull: true };
    default:
      throw new InvalidArgument(`invalid image-resolve-mode: ${value}`);
  }
}

function network(value: string | undefined): Pick<BuildRequest, "network"> {
  switch (value) {
    case undefined:
    case "":
    case "sandbox":
      return {};
    case "host":
    case "none":
      return { network: value };
    default:
      throw new InvalidArgument(`invalid netmode ${value}`);
  }
}

function extraHost(pair: string): string {
  const equals = pair.indexOf("=");
  if (equals < 1) throw new InvalidArgument(`invalid key-value pair ${pair}`);
  return `${pair.slice(0, equals)}:${pair.slice(equals + 1)}`;
}

function ulimit(text: string): { readonly name: string; readonly soft: number; readonly hard: number } {
  const match = /^([a-z]+)=(-?\d+)(?::(-?\d+))?$/.exec(text);
  if (match === null) throw new InvalidArgument(`invalid ulimit argument: ${text}`);
  const soft = Number(match[2]);
  return { name: match[1] ?? "", soft, hard: match[3] === undefined ? soft : Number(match[3]) };
}

function resources(options: Options): BuildRequest["resources"] | undefined {
  const found = {
    ...optional("memory", integer(options["memory"], "memory")),
    ...optional("memorySwap", integer(options["memswap"], "memswap")),
    ...optional("cpuShares", integer(options["cpushares"], "cpushares")),
    ...optional("cpuPeriod", integer(options["cpuperiod"], "cpuperiod")),
    ...optional("cpuQuota", integer(options["cpuquota"], "cpuquota")),
    ...optional("cpusetCpus", options["cpusetcpus"]),
    ...optional("cpusetMems", options["cpusetmems"]),
  };
  return Object.keys(found).length === 0 ? undefined : found;
}

/** JSON of the client's cache imports; its names are Go's. */
function cacheImports(text: string | undefined): readonly CacheEntry[] {
  if (text === undefined || text === "") return [];
  let entries: unknown;
  try {
    entries = JSON.parse(text);
  } catch (cause) {
    throw new InvalidArgument("cache-imports is not JSON", { cause });
  }
  if (!Array.isArray(entries)) throw new InvalidArgument("cache-imports is no list");
  return entries.map(
    (entry: { readonly Type?: unknown; readonly Attrs?: Readonly<Record<string, unknown>> | null }) => ({
      type: String(entry.Type),
      attributes: Object.fromEntries(Object.entries(entry.Attrs ?? {}).map(([key, value]) => [key, String(value)])),
    }),
  );
}

const cacheFrom = (text: string | undefined): readonly CacheEntry[] =>
  (list(text) ?? []).map((ref) => ({ type: "registry", attributes: { ref } }));

/** What is said of provenance; times and steps are always as they are. */
const PROVENANCE = new Set(["builder-id", "disabled", "enabled", "inline-only", "mode", "type", "version"]);

function attestations(attests: Options): Attestations | undefined {
  const found: { provenance?: NonNullable<Attestations["provenance"]>; sbom?: boolean } = {};
  for (const [kind, text] of Object.entries(attests)) {
    const values = new Map(parseCsv(text, `attest:${kind}`).map((pair) => split(pair)));
    if (values.get("disabled") === "true" || values.get("enabled") === "false") continue;
    if (kind === "sbom") {
      const [other] = [...values.keys()].filter((name) => !["", "disabled", "enabled", "type"].includes(name));
      if (other !== undefined) throw new Unsupported(`attribute ${other} of sbom is not supported`);
      found.sbom = true;
      continue;
    }
    if (kind !== "provenance")
      throw new Unsupported(`attestation ${kind} is not supported`, { remedy: `leave --${kind} out` });
    const unknown = [...values.keys()].find((name) => !PROVENANCE.has(name));
    if (unknown !== undefined) throw new Unsupported(`attribute ${unknown} of provenance is not supported`);
    const mode = values.get("mode") ?? "min";
    if (mode !== "min" && mode !== "max") throw new InvalidArgument(`invalid provenance mode '${mode}'`);
    const builderId = values.get("builder-id");
    const version = values.get("version") ?? "v0.2";
    if (version !== "v0.2" && version !== "v1") throw new InvalidArgument(`invalid provenance version '${version}'`);
    found.provenance = {
      mode,
      version,
      ...(builderId === undefined ? {} : { builderId }),
      ...(truth(values.get("inline-only")) ? { inlineOnly: true } : {}),
    };
  }
  return found.provenance === undefined && found.sbom === undefined ? undefined : found;
}

function split(pair: string): readonly [string, string] {
  const equals = pair.indexOf("=");
  return equals < 0 ? [pair, ""] : [pair.slice(0, equals), pair.slice(equals + 1)];
}

const truth = (text: string | undefined): boolean => text !== undefined && /^(?:1|t|true)$/i.test(text);

function list(text: string | undefined): readonly string[] | undefined {
  return text === undefined || text === "" ? undefined : text.split(",").filter((item) => item !== "");
}

function integer(text: string | undefined, name: string): number | undefined {
  if (text === undefined || text === "") return undefined;
  if (!/^-?\d{1,15}$/.test(text)) throw new InvalidArgument(`${name}: '${text}' is no number`);
  return Number(text);
}

/** A property, or none where there is nothing to say. */
function optional<Key extends string, Value>(key: Key, value: Value | undefined): { readonly [K in Key]?: Value } {
  const nothing = value === undefined || (Array.isArray(value) && value.length === 0);
  return (nothing ? {} : { [key]: value }) as { readonly [K in Key]?: Value };
}
