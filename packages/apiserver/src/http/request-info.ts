import type { RequestInfo, ResourceInfo } from "../contract.ts";

const VERBS: Readonly<Record<string, readonly [collection: string, single: string]>> = {
  GET: ["list", "get"],
  HEAD: ["list", "get"],
  POST: ["create", "create"],
  PUT: ["update", "update"],
  PATCH: ["patch", "patch"],
  DELETE: ["deletecollection", "delete"],
};

/** Below a namespace's own path these are its subresources, not resources inside of it. */
const NAMESPACE_SUBRESOURCES = new Set(["status", "finalize"]);

/**
 * What a request is about. Authorization and routing read the same answer.
 *
 * @param path decoded segment by segment; undefined for one that cannot be decoded
 */
export function requestInfo(method: string, pathname: string, query: URLSearchParams): RequestInfo | undefined {
  const parts = segments(pathname);
  if (parts === undefined) return undefined;
  const other: RequestInfo = { verb: method.toLowerCase(), path: pathname };
  const resource = resourceInfo(parts, pathname.endsWith("/") ? "/" : "");
  if (resource === undefined) return other;
  const [collection, single] = VERBS[method] ?? [method.toLowerCase(), method.toLowerCase()];
  const isSingle = resource.info.name !== "";
  let verb = isSingle ? single : collection;
  if ((verb === "list" || verb === "get") && resource.info.subresource === "") {
    const { watch } = Object.fromEntries(query);
    if (resource.watch || watch === "true" || watch === "1") verb = "watch";
  }
  const fieldSelector = isSingle ? null : query.get("fieldSelector");
  return { verb, path: pathname, resource: resource.info, ...(fieldSelector === null ? {} : { fieldSelector }) };
}

const NAMED = /^metadata\.name==?(?<name>[^=!,]+)$/;

/** What it is decided about: a list or watch of one name is about that object. */
export function authorizedAs(info: RequestInfo): RequestInfo {
  const { resource, fieldSelector = "" } = info;
  if (resource === undefined || resource.name !== "" || fieldSelector === "") return info;
  const name = fieldSelector
    .split(",")
    .map((one) => NAMED.exec(one)?.groups?.["name"])
    .find((one) => one !== undefined);
  return name === undefined ? info : { ...info, resource: { ...resource, name } };
}

function segments(pathname: string): readonly string[] | undefined {
  try {
    return pathname
      .split("/")
      .filter((part) => part !== "")
      .map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

/** @param end of what is behind a proxy */
function resourceInfo(parts: readonly string[], end: "/" | ""): { info: ResourceInfo; watch: boolean } | undefined {
  let rest = [...parts];
  const root = rest.shift();
  if (root !== "api" && root !== "apis") return undefined;
  const group = root === "apis" ? rest.shift() : "";
  const version = rest.shift();
  if (group === undefined || version === undefined || rest.length === 0) return undefined;
  const watch = rest[0] === "watch";
  if (watch) rest = rest.slice(1);
  let namespace = "";
  if (rest[0] === "namespaces" && rest.length > 2 && !NAMESPACE_SUBRESOURCES.has(rest[2] ?? "")) {
    namespace = rest[1] ?? "";
    rest = rest.slice(2);
  } else if (rest[0] === "namespaces" && rest.length > 1) namespace = rest[1] ?? "";
  const [resource = "", name = "", ...below] = rest;
  if (resource === "") return undefined;
  const info = { group, version, resource, namespace, name };
  if (below[0] === "proxy") {
    return { info: { ...info, subresource: "proxy", path: `${below.join("/").slice("proxy".length)}${end}` }, watch };
  }
  return { info: { ...info, subresource: below.join("/") }, watch };
}
