/** Addresses as Go's `net/url` takes them apart: what the browsers' parser would mend stays as it is. */

export interface UrlParts {
  readonly scheme: string;
  readonly userinfo: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;
  readonly opaque: string;
  readonly fragment: string;
}

export interface ParsedUrl extends UrlParts {
  readonly hostname: string;
}

function decode(text: string, whole: string): string {
  if (/%(?![\da-f]{2})/i.test(text)) {
    const bad = /%.{0,2}/.exec(text.replace(/%[\da-f]{2}/gi, ""))?.[0] ?? "%";
    throw new Error(`unable to parse url: parse ${JSON.stringify(whole)}: invalid URL escape ${JSON.stringify(bad)}`);
  }
  return text.replace(/(?:%[\da-f]{2})+/gi, (run) => Buffer.from(run.replaceAll("%", ""), "hex").toString());
}

/** @throws Error in sprig's words */
export function parseUrl(text: string): ParsedUrl {
  const fail = (why: string): Error => new Error(`unable to parse url: parse ${JSON.stringify(text)}: ${why}`);
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\x00-\x1f\x7f]/.test(text)) throw fail("net/url: invalid control character in URL");
  const [, main = "", fragment = ""] = /^([^#]*)(?:#(.*))?$/s.exec(text) ?? [];
  const [, scheme, after] = /^([A-Za-z][A-Za-z\d+.-]*):(.*)$/s.exec(main) ?? [];
  if (scheme === undefined && main.startsWith(":")) throw fail("missing protocol scheme");
  const [, rest = "", query = ""] = /^([^?]*)(?:\?(.*))?$/s.exec(after ?? main) ?? [];
  const empty = { scheme: (scheme ?? "").toLowerCase(), userinfo: "", host: "", hostname: "", path: "", opaque: "" };
  const tail = { query, fragment: decode(fragment, text) };
  if (!rest.startsWith("/") && scheme !== undefined) return { ...empty, ...tail, opaque: rest };
  if (scheme === undefined && /^[^/]*:/.test(rest)) throw fail("first path segment in URL cannot contain colon");
  if (!rest.startsWith("//") || rest.startsWith("///")) return { ...empty, ...tail, path: decode(rest, text) };
  const [, authority = "", path = ""] = /^\/\/([^/]*)(.*)$/s.exec(rest) ?? [];
  const at = authority.lastIndexOf("@");
  const host = authority.slice(at + 1);
  const userinfo = at < 0 ? "" : authority.slice(0, at);
  const port = /^(?:\[[^\]]*\]|[^:]*)(.*)$/s.exec(host)?.[1] ?? "";
  if (!/^(:\d*)?$/.test(port)) throw fail(`invalid port ${JSON.stringify(port)} after host`);
  if (/[ "<>\\^`{|}]/.test(host))
    throw fail(`invalid character ${JSON.stringify(/[ "<>\\^`{|}]/.exec(host)?.[0])} in host name`);
  const hostname = host.slice(0, host.length - port.length).replace(/^\[(.*)\]$/, "$1");
  return { ...empty, ...tail, userinfo, host, hostname, path: decode(path, text) };
}

function escape(text: string, keep: RegExp): string {
  return Array.from(Buffer.from(text), (byte) => {
    const sign = String.fromCharCode(byte);
    return keep.test(sign) ? sign : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }).join("");
}

const PATH = /[A-Za-z\d\-_.~$&+,/:;=@]/;
const FRAGMENT = /[A-Za-z\d\-_.~$&+,/:;=?@!()*]/;
const HOST = /[A-Za-z\d\-_.~!$&'()*+,;=:[\]<>"]/;

/** Go's `URL.String()`. */
export function joinUrl({ scheme, userinfo, host, path, query, opaque, fragment }: UrlParts): string {
  let out = scheme === "" ? "" : `${scheme}:`;
  if (opaque !== "") out += opaque;
  else {
    if (scheme !== "" || host !== "" || userinfo !== "") {
      if (host !== "" || path !== "" || userinfo !== "") out += "//";
      if (userinfo !== "") out += `${userinfo}@`;
      out += escape(host, HOST);
    }
    const escaped = escape(path, PATH);
    if (path !== "" && !path.startsWith("/") && host !== "") out += "/";
    if (out === "" && /^[^/]*:/.test(escaped)) out += "./";
    out += escaped;
  }
  if (query !== "") out += `?${query}`;
  return fragment === "" ? out : `${out}#${escape(fragment, FRAGMENT)}`;
}
