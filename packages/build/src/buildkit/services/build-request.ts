import { randomBytes } from "node:crypto";
import { InvalidArgument, Unsupported } from "@boxship/base";
import { type ValueOf } from "@boxship/grpc";
import type { ExporterRequest } from "../job/outputs.ts";
import { SolveRequest } from "../wire/control.ts";

/** A `POST /build` that asks for BuildKit, as the control service would be asked. */
export interface BuildkitBuild {
  readonly buildId: string | undefined;
  /** It only brings the archive for another request. */
  readonly upload: boolean;
  readonly request: ValueOf<typeof SolveRequest>;
}

const UPLOAD = "upload-request:";

/** Whether a `POST /build` asks for BuildKit. */
export const wantsBuildkit = (query: URLSearchParams): boolean => query.get("version") === "2";

/** @param id of the build that reads an archive from a request's body */
export const bodyContext = (id: string): string => `http://buildkit-session/body/${encodeURIComponent(id)}`;

/** @throws InvalidArgument and Unsupported, naming the parameter */
export function readBuildkitBuild(query: URLSearchParams): BuildkitBuild {
  const text = (name: string): string | undefined => query.get(name) || undefined;
  const given = text("buildid");
  const upload = given?.startsWith(UPLOAD) === true;
  const buildId = upload ? given?.slice(UPLOAD.length) : given;
  const ref = randomBytes(12).toString("hex");
  const outputs = readOutputs(query);
  const names = query.getAll("t").filter((name) => name !== "");
  const exporters = (outputs ?? [{ type: "moby", attributes: {} }]).map(({ type, attributes }) =>
    names.length > 0 && ["moby", "image", "docker", "oci"].includes(type)
      ? { type, attributes: { name: names.join(","), ...attributes } }
      : { type, attributes },
  );
  const network = text("networkmode");
  const attributes = { ...frontendAttributes(query, buildId ?? ref), ...prefixed(query, "buildargs", "build-arg:") };
  return {
    buildId,
    upload,
    request: {
      ...SolveRequest.decode(new Uint8Array(0)),
      ref,
      session: text("session") ?? "",
      frontend: "dockerfile.v0",
      frontendAttributes: { ...attributes, ...prefixed(query, "labels", "label:") },
      exporters: exporters.filter(({ type }) => type !== "cacheonly"),
      cache: cacheOptions(/^(?:1|t|true)$/i.test(attributes["build-arg:BUILDKIT_INLINE_CACHE"] ?? "")),
      entitlements: network === "host" ? ["network.host"] : [],
    },
  };
}

function cacheOptions(inline: boolean): ValueOf<typeof SolveRequest>["cache"] {
  return {
    exportRefDeprecated: "",
    importRefsDeprecated: [],
    exportAttributesDeprecated: {},
    exports: inline ? [{ type: "inline", attributes: {} }] : [],
    imports: [],
  };
}

function frontendAttributes(query: URLSearchParams, buildId: string): Readonly<Record<string, string>> {
  const attributes: Record<string, string> = {};
  const copy = (name: string, attribute = name): void => {
    const value = query.get(name);
    if (value !== null && value !== "") attributes[attribute] = value;
  };
  copy("target");
  copy("dockerfile", "filename");
  copy("platform");
  copy("cgroupparent", "cgroup-parent");
  if (query.get("shmsize") !== "0") copy("shmsize", "shm-size");
  const remote = query.get("remote") ?? "";
  if (remote === "upload-request" || remote === "") attributes["context"] = bodyContext(buildId);
  else if (remote !== "client-session") attributes["context"] = remote;
  if (isTrue(query.get("nocache"))) attributes["no-cache"] = "";
  if (isTrue(query.get("pull"))) attributes["image-resolve-mode"] = "pull";
  const network = query.get("networkmode") ?? "";
  if (network === "host" || network === "none") attributes["force-network-mode"] = network;
  else if (network !== "" && network !== "default")
    throw new Unsupported(`network mode ${network} is not supported by builds`, {
      remedy: "use default, host or none",
    });
  const hosts = query.getAll("extrahosts").filter((host) => host !== "");
  if (hosts.length > 0) attributes["add-hosts"] = hosts.map((host) => host.replace(":", "=")).join(",");
  const limits = jsonOf(query, "ulimits");
  if (Array.isArray(limits)) {
    attributes["ulimit"] = limits
      .map(
        (limit: { readonly Name?: unknown; readonly Soft?: unknown; readonly Hard?: unknown }) =>
          `${String(limit.Name)}=${String(limit.Soft)}:${String(limit.Hard)}`,
      )
      .join(",");
  }
  const from = jsonOf(query, "cachefrom");
  if (Array.isArray(from) && from.length > 0) attributes["cache-from"] = from.map(String).join(",");
  return attributes;
}

function readOutputs(query: URLSearchParams): readonly ExporterRequest[] | undefined {
  const list = jsonOf(query, "outputs");
  if (list === undefined || list === null) return undefined;
  if (!Array.isArray(list)) throw new InvalidArgument("parameter outputs must be a JSON array");
  if (list.length > 1) throw new Unsupported("several outputs in one request are not supported");
  return list.map((entry: { readonly Type?: unknown; readonly Attrs?: Readonly<Record<string, string>> | null }) => ({
    type: String(entry.Type),
    attributes: entry.Attrs ?? {},
  }));
}

/** A JSON object's texts under longer names; a null is one that was not given. */
function prefixed(query: URLSearchParams, name: string, prefix: string): Readonly<Record<string, string>> {
  const value = jsonOf(query, name);
  if (value === undefined || value === null) return {};
  if (typeof value !== "object" || Array.isArray(value))
    throw new InvalidArgument(`parameter ${name} must be a JSON object`);
  return Object.fromEntries(
    Object.entries(value as Record<string, unknown>).flatMap(([key, entry]) =>
      typeof entry === "string" ? [[`${prefix}${key}`, entry]] : [],
    ),
  );
}

function jsonOf(query: URLSearchParams, name: string): unknown {
  const text = query.get(name);
  if (text === null || text === "") return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new InvalidArgument(`parameter ${name} is not JSON`, { cause });
  }
}

const isTrue = (text: string | null): boolean => text !== null && !/^(?:|0|no|false|none)$/i.test(text.trim());
