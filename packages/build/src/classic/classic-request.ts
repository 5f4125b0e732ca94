import { hideCredentials, InvalidArgument, Unsupported } from "@boxship/base";
import type { RegistryCredentials } from "@boxship/engine";
import { newImageName } from "@boxship/engine";
import { familiarReference } from "@boxship/oci";
import type { BuildRequest, BuildResources, ContextSource } from "../contract.ts";
import { gitUrl } from "../sources/git.ts";

/** A `POST /build` as the classic builder takes it. */
export interface ClassicBuild {
  readonly query: URLSearchParams;
  /** `X-Registry-Config`: base64 of credentials by registry. */
  readonly registryConfig?: string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
}

/** A build request of one `POST /build`, and what is said about it afterwards. */
export interface DecodedBuild {
  readonly request: BuildRequest;
  readonly quiet: boolean;
  readonly buildId: string | undefined;
  /** As Docker prints them. */
  readonly tags: readonly string[];
}

/** @throws InvalidArgument, Unsupported */
export function decodeClassicBuild({ query, registryConfig, body }: ClassicBuild): DecodedBuild {
  if ((query.get("version") ?? "1") !== "1" && query.get("version") !== "") {
    throw new Unsupported("this request asks for BuildKit without its session", { remedy: "set DOCKER_BUILDKIT=0" });
  }
  const names = query.getAll("t").filter((name) => name !== "");
  const tags = names.flatMap((name) => newImageName(name)).map((reference) => familiarReference(reference));
  const text = (name: string) => query.get(name) || undefined;
  const { file, context } = sourcesOf(query, body);
  const noCache = flag(query, "nocache");
  const cacheFrom = textList(query, "cachefrom");
  const credentials = readRegistryConfig(registryConfig);
  const request: BuildRequest = {
    file,
    context,
    args: nullableMap(query, "buildargs"),
    labels: stringMap(query, "labels"),
    noCache,
    pull: flag(query, "pull"),
    extraHosts: hostsOf(query),
    ulimits: ulimitsOf(query),
    resources: resourcesOf(query),
    outputs: [{ kind: "image", names: tags }],
    history: "classic",
    credentials: (host) => Promise.resolve(credentials.get(host)),
    cacheFrom: cacheFrom.map((reference) => ({ kind: "image", reference })),
    ...given("squash", flag(query, "squash") ? ("new" as const) : undefined),
    ...given("target", text("target")),
    ...given("network", text("networkmode")),
    ...given("cgroupParent", text("cgroupparent")),
    ...given("platforms", text("platform") === undefined ? undefined : [text("platform") as string]),
    ...given("shmSize", integer(query, "shmsize") || undefined),
  };
  refuseUnsupported(query);
  return { request, quiet: flag(query, "q"), buildId: text("buildid"), tags };
}

function given<Name extends string, T>(name: Name, value: T | undefined): { readonly [K in Name]?: T } {
  return (value === undefined ? {} : { [name]: value }) as { readonly [K in Name]?: T };
}

function refuseUnsupported(query: URLSearchParams): void {
  const isolation = query.get("isolation") ?? "";
  if (isolation !== "" && isolation !== "default") {
    throw new Unsupported(`isolation ${isolation} is not supported on Linux`, { remedy: "leave --isolation out" });
  }
  const security = jsonOf(query, "securityopt");
  if (Array.isArray(security) && security.length > 0) {
    throw new Unsupported("security options are not supported on linux", { remedy: "leave --security-opt out" });
  }
  const outputs = query.get("outputs") ?? "";
  if (outputs !== "" && outputs !== "[]" && outputs !== "null") {
    throw new Unsupported("the classic builder has no outputs", { remedy: "use docker buildx build" });
  }
}

function sourcesOf(
  query: URLSearchParams,
  body: AsyncIterable<Uint8Array>,
): { readonly file: BuildRequest["file"]; readonly context: ContextSource } {
  const remote = query.get("remote") ?? "";
  const path = query.get("dockerfile") ?? "";
  const file = path === "" ? ({ kind: "context" } as const) : ({ kind: "context", path } as const);
  if (remote === "") return { file, context: { kind: "tar", stream: body } };
  if (gitUrl(remote) !== undefined) return { file, context: { kind: "git", url: remote } };
  if (/^https?:\/\//i.test(remote)) return { file, context: { kind: "http", url: remote } };
  throw new InvalidArgument(
    `remote context ${hideCredentials(remote)} is neither a git repository nor an http address`,
    {
      remedy: "write it like https://host/name.git#branch:directory",
    },
  );
}

const FALSE = new Set(["", "0", "no", "false", "none"]);

function flag(query: URLSearchParams, name: string): boolean {
  return !FALSE.has((query.get(name) ?? "").trim().toLowerCase());
}

function integer(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name) ?? "";
  if (text === "") return undefined;
  if (!/^-?\d{1,15}$/.test(text)) throw new InvalidArgument(`invalid value ${JSON.stringify(text)} of ${name}`);
  return Number(text);
}

function jsonOf(query: URLSearchParams, name: string): unknown {
  const text = query.get(name) ?? "";
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InvalidArgument(`parameter ${name} is not JSON`, { cause: error });
  }
}

function nullableMap(query: URLSearchParams, name: string): Readonly<Record<string, string | undefined>> {
  const value = jsonOf(query, name) ?? {};
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new InvalidArgument(`parameter ${name} must be a JSON object`);
  }
  const entries = Object.entries(value).map(([key, item]: [string, unknown]) => {
    if (item !== null && typeof item !== "string") throw new InvalidArgument(`${name}: ${key} must be a string`);
    return [key, item ?? undefined] as const;
  });
  return Object.fromEntries(entries);
}

function textList(query: URLSearchParams, name: string): readonly string[] {
  const value = jsonOf(query, name) ?? [];
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw new InvalidArgument(`parameter ${name} must be a JSON array of texts`);
}

function stringMap(query: URLSearchParams, name: string): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(nullableMap(query, name)).map(([key, value]) => [key, value ?? ""]));
}

function hostsOf(query: URLSearchParams): readonly string[] {
  return query.getAll("extrahosts").flatMap((text) => {
    if (!text.startsWith("[")) return text === "" ? [] : text.split(",");
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? list.filter((item): item is string => typeof item === "string") : [];
  });
}

function ulimitsOf(query: URLSearchParams): NonNullable<BuildRequest["ulimits"]> {
  const list = jsonOf(query, "ulimits") ?? [];
  if (!Array.isArray(list)) throw new InvalidArgument("parameter ulimits must be a JSON array");
  return list.map((item: unknown) => {
    const { Name, Soft, Hard } = (item ?? {}) as Readonly<Record<string, unknown>>;
    if (typeof Name !== "string" || typeof Soft !== "number" || typeof Hard !== "number") {
      throw new InvalidArgument("each ulimit has Name, Soft and Hard");
    }
    return { name: Name, soft: Soft, hard: Hard };
  });
}

function resourcesOf(query: URLSearchParams): BuildResources {
  const number = (name: string) => integer(query, name) || undefined;
  return {
    ...given("memory", number("memory")),
    ...given("memorySwap", number("memswap")),
    ...given("cpuShares", number("cpushares")),
    ...given("cpuQuota", number("cpuquota")),
    ...given("cpuPeriod", number("cpuperiod")),
    ...given("cpusetCpus", query.get("cpusetcpus") || undefined),
    ...given("cpusetMems", query.get("cpusetmems") || undefined),
  };
}

/** Credentials by the registry's host; Docker's own has two names. */
function readRegistryConfig(header: string | undefined): ReadonlyMap<string, RegistryCredentials> {
  const found = new Map<string, RegistryCredentials>();
  if (header === undefined || header === "") return found;
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(header, "base64").toString("utf8"));
  } catch (error) {
    throw new InvalidArgument("the header X-Registry-Config is not base64 of JSON", { cause: error });
  }
  for (const [address, entry] of Object.entries((value ?? {}) as Readonly<Record<string, unknown>>)) {
    const fields = (entry ?? {}) as Readonly<Record<string, unknown>>;
    const field = (name: string) => (typeof fields[name] === "string" ? fields[name] : undefined);
    const host = address.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
    found.set(["index.docker.io", "registry-1.docker.io"].includes(host) ? "docker.io" : host, {
      ...given("username", field("username")),
      ...given("password", field("password")),
      ...given("identityToken", field("identitytoken")),
      ...given("registryToken", field("registrytoken")),
    });
  }
  return found;
}
