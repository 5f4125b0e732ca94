import { isAbsolute, normalize } from "node:path";

/** A directory of a git repository, as kustomizations name one: `https://host/org/repo//directory?ref=v1`. */
export interface Repository {
  /** As it was written. */
  readonly address: string;
  /** What git is given. */
  readonly remote: string;
  /** Below the repository's root; empty is the root. */
  readonly directory: string;
  /** Branch, tag or commit; empty is the remote's default. */
  readonly reference: string;
  readonly submodules: boolean;
  /** In milliseconds. */
  readonly timeout: number;
}

const SCHEMES = ["ssh://", "https://", "http://", "file://"] as const;
const DEFAULT_TIMEOUT = 27_000;

/** Undefined for what is no address of a repository. */
export function readRepository(address: string): Repository | undefined {
  if (isAbsolute(address)) return undefined;
  const [path = "", query = ""] = splitOnce(address, "?");
  const host = readHost(path);
  if (host === undefined) return undefined;
  const parts = readPath(host.rest, host.host.startsWith("file://"));
  if (parts === undefined) return undefined;
  return { address, remote: host.host + parts.path, directory: parts.directory, ...readQuery(query) };
}

function splitOnce(text: string, separator: string): readonly string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}

function readHost(text: string): { readonly host: string; readonly rest: string } | undefined {
  const bare = /^git::/i.test(text) ? text.slice("git::".length) : text;
  const scheme = SCHEMES.find((one) => bare.toLowerCase().startsWith(one)) ?? "";
  const afterScheme = bare.slice(scheme.length);
  const user = /^[a-zA-Z][a-zA-Z0-9-]*@/.exec(afterScheme)?.[0] ?? "";
  const rest = afterScheme.slice(user.length);
  const isGithub = /^github\.com[/:]/i.test(rest);
  const maybeScp = scheme === "" && (user !== "" || isGithub);
  if (scheme === "" && !maybeScp) return undefined;
  if (scheme === "file://") return { host: scheme, rest: user + rest };
  const slash = rest.indexOf("/");
  const colon = maybeScp ? rest.indexOf(":") : -1;
  const end = colon > 0 && (slash < 0 || colon < slash) ? colon : slash;
  const host = end < 0 ? rest : rest.slice(0, end + 1);
  const path = end < 0 ? "" : rest.slice(end + 1);
  if (isGithub) {
    const isSsh = scheme === "ssh://" || user !== "";
    return { host: isSsh ? `${user}github.com:` : "https://github.com/", rest: path };
  }
  return host === "" ? undefined : { host: scheme + user + host, rest: path };
}

function readPath(text: string, isFile: boolean): { readonly path: string; readonly directory: string } | undefined {
  const [path, directory] = splitPath(text, isFile);
  if (path === undefined || path === "" || directory === undefined) return undefined;
  const relative = directory.replace(/^\//, "");
  return normalize(relative).split("/")[0] === ".." ? undefined : { path, directory: relative };
}

function splitPath(text: string, isFile: boolean): readonly (string | undefined)[] {
  const azure = text.indexOf("_git/");
  if (azure >= 0) {
    const start = azure + "_git/".length;
    const [name = "", ...rest] = text.slice(start).split("/");
    return [text.slice(0, start) + name, rest.join("/")];
  }
  const double = text.indexOf("//");
  if (double >= 0) return [text.slice(0, double), text.slice(double + 2)];
  const suffix = text.indexOf(".git");
  if (suffix >= 0) return [text.slice(0, suffix + 4), text.slice(suffix + 4)];
  if (isFile) return [text, ""];
  const parts = text.split("/");
  return parts.length < 2 ? [undefined] : [parts.slice(0, 2).join("/"), parts.slice(2).join("/")];
}

function readQuery(query: string): Pick<Repository, "reference" | "submodules" | "timeout"> {
  const values = new URLSearchParams(query);
  const reference = values.get("ref") || values.get("version") || "";
  const submodules = !/^(0|f|F|false|False|FALSE)$/.test(values.get("submodules") ?? "");
  return { reference, submodules, timeout: readTimeout(values.get("timeout") ?? "") };
}

function readTimeout(text: string): number {
  if (/^\d+$/.test(text) && Number(text) > 0) return Number(text) * 1000;
  const match = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?$/.exec(text);
  if (text === "" || match === null) return DEFAULT_TIMEOUT;
  const [, hours = 0, minutes = 0, seconds = 0] = match;
  return (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000 || DEFAULT_TIMEOUT;
}
