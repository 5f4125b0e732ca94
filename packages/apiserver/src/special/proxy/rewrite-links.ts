import { Transform } from "node:stream";

/** What a page's links are seen from. */
export interface LinkBase {
  /** What stands before paths of the server behind, without a slash at its end. */
  readonly prefix: string;
  /** Host and port of the server behind, and the host that the client has asked for: links to those are its own. */
  readonly hosts: readonly string[];
  /** The latter alone: links that name it keep it. */
  readonly asked: string;
}

const PARTS = /^(?:(?<scheme>[a-z][a-z0-9+.-]*):)?(?:\/\/(?<authority>[^/?#]*))?(?<path>[^?#]*)(?<rest>.*)$/is;

/** A link of the server behind as it is from outside. Relative ones, and ones to other servers, stay as they are. */
export function rewriteLink(link: string, { prefix, hosts, asked }: LinkBase): string {
  const { scheme, authority = "", path = "", rest = "" } = PARTS.exec(link)?.groups ?? {};
  const host = authority.slice(authority.lastIndexOf("@") + 1);
  if (!path.startsWith("/") || (host !== "" && !hosts.includes(host))) return link;
  const origin = host === asked && host !== "" ? `${scheme === undefined ? "" : `${scheme}:`}//${authority}` : "";
  const isInside = path === prefix || path.startsWith(`${prefix}/`);
  return `${origin}${isInside ? "" : prefix}${path}${rest}`;
}

/** Attributes that hold links, by the names of their elements. */
const LINKS = new Map(
  Object.entries({
    a: "href",
    applet: "codebase",
    area: "href",
    audio: "src",
    base: "href",
    blockquote: "cite",
    body: "background",
    button: "formaction",
    command: "icon",
    del: "cite",
    embed: "src",
    form: "action",
    frame: "longdesc src",
    head: "profile",
    html: "manifest",
    iframe: "longdesc src",
    img: "longdesc src usemap",
    input: "src usemap formaction",
    ins: "cite",
    link: "href",
    object: "classid codebase data usemap",
    q: "cite",
    script: "src",
    source: "src",
    video: "poster src",
  }).map(([element, names]) => [element, names.split(" ")]),
);

/** Elements whose text is no HTML. */
const RAW = new Set("iframe noembed noframes noscript plaintext script style textarea title xmp".split(" "));

/** Characters of one tag; a longer one is passed as it is. */
const LONGEST_TAG = 16 * 1024;

/** Rewrites links in HTML as it comes. Whatever its encoding is, as long as tags are ASCII, all else stays as it is. */
export function linkRewriter(base: LinkBase): Transform {
  let waiting = "";
  let inside = "";
  return new Transform({
    transform(chunk: Buffer, _, done) {
      const step = rewriteSome(waiting + chunk.toString("latin1"), inside, base);
      ({ waiting, inside } = step);
      done(null, Buffer.from(step.ready, "latin1"));
    },
    flush(done) {
      done(null, Buffer.from(waiting, "latin1"));
    },
  });
}

interface Step {
  readonly ready: string;
  /** The beginning of something whose end has not come yet. */
  readonly waiting: string;
  /** What ends the text that is no HTML; "" in HTML. */
  readonly inside: string;
}

function rewriteSome(text: string, insideAtFirst: string, base: LinkBase): Step {
  let [at, ready, inside] = [0, "", insideAtFirst];
  const lower = text.toLowerCase();
  while (at < text.length) {
    if (inside !== "") {
      const end = lower.indexOf(inside, at);
      // Its end may be cut into two.
      const upTo = end < 0 ? Math.max(at, text.length - inside.length) : end;
      ready += text.slice(at, upTo);
      if (end < 0) return { ready, waiting: text.slice(upTo), inside };
      [at, inside] = [end, ""];
      continue;
    }
    const open = text.indexOf("<", at);
    if (open < 0) return { ready: ready + text.slice(at), waiting: "", inside };
    ready += text.slice(at, open);
    const tail = text.slice(open, open + 4);
    if ("<!--".startsWith(tail) && tail.length < 4) return { ready, waiting: text.slice(open), inside };
    if (tail === "<!--") {
      inside = "-->";
      ready += tail;
      at = open + 4;
      continue;
    }
    if (!/[a-z]/i.test(tail[1] ?? "")) {
      ready += "<";
      at = open + 1;
      continue;
    }
    const tag = readTag(text, open);
    if (tag === undefined) {
      if (text.length - open < LONGEST_TAG) return { ready, waiting: text.slice(open), inside };
      return { ready: ready + text.slice(open), waiting: "", inside };
    }
    ready += rewriteTag(text.slice(open, tag.end), tag, open, base);
    if (RAW.has(tag.name)) inside = `</${tag.name}`;
    at = tag.end;
  }
  return { ready, waiting: "", inside };
}

interface Tag {
  /** In lower case. */
  readonly name: string;
  readonly attributes: readonly { readonly name: string; readonly from: number; readonly to: number }[];
  readonly end: number;
}

/** @returns undefined for one whose end has not come yet */
function readTag(text: string, open: number): Tag | undefined {
  let at = open + 1;
  const take = (what: RegExp): string => {
    what.lastIndex = at;
    const [found = ""] = what.exec(text) ?? [];
    at += found.length;
    return found;
  };
  const name = take(/[^\s/>]*/y).toLowerCase();
  const attributes: { name: string; from: number; to: number }[] = [];
  for (;;) {
    take(/[\s/]*/y);
    if (at >= text.length) return undefined;
    if (text[at] === ">") return { name, attributes, end: at + 1 };
    const attribute = take(/[^\s>/][^\s=>/]*/y).toLowerCase();
    const equals = take(/\s*=\s*/y);
    if (at >= text.length) return undefined;
    if (equals === "") continue;
    const quote = text[at] === '"' || text[at] === "'" ? text[at] : undefined;
    const from = quote === undefined ? at : at + 1;
    if (quote === undefined) take(/[^\s>]*/y);
    else at = text.indexOf(quote, from);
    if (at < 0 || at >= text.length) return undefined;
    attributes.push({ name: attribute, from, to: at });
    if (quote !== undefined) at++;
  }
}

function rewriteTag(tag: string, { name, attributes }: Tag, open: number, base: LinkBase): string {
  const wanted = LINKS.get(name) ?? [];
  let [done, result] = [0, ""];
  for (const attribute of attributes) {
    if (!wanted.includes(attribute.name)) continue;
    const [from, to] = [attribute.from - open, attribute.to - open];
    result += tag.slice(done, from) + rewriteLink(tag.slice(from, to), base);
    done = to;
  }
  return result + tag.slice(done);
}
