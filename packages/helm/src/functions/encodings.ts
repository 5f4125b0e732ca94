import { createHash } from "node:crypto";
import { posix } from "node:path";
import { anyMapType, anyType, stringType, type TemplateFunction, toJson } from "@boxship/template";
import { type Dict, define, getKey, kindOf } from "./go-values.ts";
import { joinUrl, parseUrl } from "./urls.ts";

const text = [stringType];
const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

function base64Decode(value: string): string {
  const packed = value.replace(/[\r\n]/g, "");
  const bad = /[^A-Za-z0-9+/]/.exec(packed.replace(/={0,2}$/, ""));
  const padded = /^[^=]*(={0,2})$/.exec(packed);
  if (bad !== null || padded === null || packed.length % 4 !== 0) {
    const at = bad?.index ?? (padded === null ? packed.indexOf("=") : packed.length - (packed.length % 4));
    return `illegal base64 data at input byte ${at}`;
  }
  return Buffer.from(packed, "base64").toString();
}

function base32Encode(value: string): string {
  let bits = 0;
  let held = 0;
  let out = "";
  for (const byte of Buffer.from(value)) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      out += BASE32[(held >>> (bits - 5)) & 31];
      bits -= 5;
    }
    held &= (1 << bits) - 1;
  }
  if (bits > 0) out += BASE32[(held << (5 - bits)) & 31];
  return out.padEnd(Math.ceil(out.length / 8) * 8, "=");
}

function base32Decode(value: string): string {
  const packed = value.replace(/[\r\n]/g, "");
  const digits = packed.replace(/=+$/, "");
  const bytes: number[] = [];
  let bits = 0;
  let held = 0;
  for (const [at, sign] of Array.from(digits).entries()) {
    const digit = BASE32.indexOf(sign);
    if (digit < 0) return `illegal base32 data at input byte ${at}`;
    held = (held << 5) | digit;
    bits += 5;
    if (bits >= 8) {
      bytes.push((held >>> (bits - 8)) & 255);
      bits -= 8;
    }
    held &= (1 << bits) - 1;
  }
  if (packed.length % 8 !== 0) return `illegal base32 data at input byte ${packed.length}`;
  return Buffer.from(bytes).toString();
}

function adler32(value: string): string {
  let a = 1;
  let b = 0;
  for (const byte of Buffer.from(value)) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return String(b * 65536 + a);
}

const hash = (algorithm: string) => define(text, (value: string) => createHash(algorithm).update(value).digest("hex"));

/** Go's `path.Base`: a path without its end's slashes. */
function base(value: string): string {
  if (value === "") return ".";
  const trimmed = value.replace(/\/+$/, "");
  return trimmed === "" ? "/" : trimmed.slice(trimmed.lastIndexOf("/") + 1);
}

function clean(value: string): string {
  const normal = posix.normalize(value);
  return normal.length > 1 ? normal.replace(/\/$/, "") : normal;
}

const directory = (value: string): string => clean(value.slice(0, value.lastIndexOf("/") + 1));
const extension = (value: string): string => /\.[^./]*$/.exec(value)?.[0] ?? "";

/** JSON with an entry a line, two spaces a level. */
export function indentJson(json: string): string {
  let depth = 0;
  let out = "";
  for (const [token] of json.matchAll(/"(?:\\.|[^"\\])*"|\{\}|\[\]|[{}[\],:]|[^"{}[\],:]+/g)) {
    if (token === "{" || token === "[") out += `${token}\n${"  ".repeat(++depth)}`;
    else if (token === "}" || token === "]") out += `\n${"  ".repeat(--depth)}${token}`;
    else if (token === ",") out += `,\n${"  ".repeat(depth)}`;
    else out += token === ":" ? ": " : token;
  }
  return out;
}

const lenient = (work: (value: unknown) => string) => (value: unknown) => {
  try {
    return work(value);
  } catch {
    // These functions of sprig give nothing where the `must` ones fail.
    return "";
  }
};
const json = (value: unknown): string => toJson(value, { escapeHtml: true });
const prettyJson = (value: unknown): string => indentJson(json(value));

export function parseJsonText(value: string): unknown {
  return JSON.parse(value) as unknown;
}

/** A field of a URL's map as text. */
function part(url: Dict, name: string): string {
  const value = getKey(url, name);
  if (value === undefined) return "";
  if (typeof value === "string") return value;
  throw new Error(`unable to parse ${name} key, must be of type string, but ${kindOf(value)} found`);
}

/** Sprig's functions of encodings, checksums, paths and addresses. */
export const encodingFunctions: Readonly<Record<string, TemplateFunction>> = {
  b64enc: define(text, (value: string) => Buffer.from(value).toString("base64")),
  b64dec: define(text, base64Decode),
  b32enc: define(text, base32Encode),
  b32dec: define(text, base32Decode),
  sha1sum: hash("sha1"),
  sha256sum: hash("sha256"),
  sha512sum: hash("sha512"),
  adler32sum: define(text, adler32),
  toJson: define([anyType], lenient(json)),
  mustToJson: define([anyType], json),
  toPrettyJson: define([anyType], lenient(prettyJson)),
  mustToPrettyJson: define([anyType], prettyJson),
  toRawJson: define([anyType], (value: unknown) => toJson(value)),
  mustToRawJson: define([anyType], (value: unknown) => toJson(value)),
  fromJson: define(text, (value: string) => {
    try {
      return parseJsonText(value);
    } catch {
      return undefined;
    }
  }),
  mustFromJson: define(text, parseJsonText),
  base: define(text, base),
  dir: define(text, directory),
  clean: define(text, clean),
  ext: define(text, extension),
  isAbs: define(text, (value: string) => value.startsWith("/")),
  osBase: define(text, base),
  osDir: define(text, directory),
  osClean: define(text, clean),
  osExt: define(text, extension),
  osIsAbs: define(text, (value: string) => value.startsWith("/")),
  urlParse: define(text, (value: string) => ({ ...parseUrl(value) })),
  urlJoin: define([anyMapType], (url: Dict) =>
    joinUrl({
      scheme: part(url, "scheme"),
      userinfo: part(url, "userinfo"),
      host: part(url, "host"),
      path: part(url, "path"),
      query: part(url, "query"),
      opaque: part(url, "opaque"),
      fragment: part(url, "fragment"),
    }),
  ),
};
