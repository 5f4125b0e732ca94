import { InvalidArgument } from "@boxship/base";
import { type Digest, parseDigest } from "./digest.ts";

/**
 * Image references as distribution/reference reads and normalises them: `[domain/]path[:tag][@digest]`.
 *
 * `nginx` is `docker.io/library/nginx:latest`; the first component is a registry only if it holds a `.` or a `:`, is
 * `localhost`, or has an upper-case letter.
 */
export interface Reference {
  /** Registry host with optional port, e.g. `docker.io`, `localhost:5000`, `[::1]:5000`. */
  readonly domain: string;
  /** Repository path inside the registry, e.g. `library/nginx`. */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** The registry that short names belong to. */
export const DEFAULT_DOMAIN = "docker.io";
const LEGACY_DEFAULT_DOMAIN = "index.docker.io";
const OFFICIAL_PREFIX = "library/";
const DEFAULT_TAG = "latest";
const NAME_LIMIT = 255;

const DOMAIN_COMPONENT = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const DOMAIN = `(?:${DOMAIN_COMPONENT}(?:\\.${DOMAIN_COMPONENT})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const PATH_COMPONENT = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
const PATH = `${PATH_COMPONENT}(?:/${PATH_COMPONENT})*`;
const TAG = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}";
const DIGEST = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}";
const REFERENCE_PATTERN = new RegExp(`^((?:${DOMAIN}/)?${PATH})(?::(${TAG}))?(?:@(${DIGEST}))?$`);
const NAME_PATTERN = new RegExp(`^(?:(${DOMAIN})/)?(${PATH})$`);
const TAG_PATTERN = new RegExp(`^${TAG}$`);
const IDENTIFIER_PATTERN = /^[a-f0-9]{64}$/;

function malformed(text: string, message: string): InvalidArgument {
  return new InvalidArgument(message, { subject: { kind: "image reference", name: text } });
}

/** Splits a full `domain/path[:tag][@digest]` by the grammar, without any normalisation. */
function parseStrict(full: string, text: string): Reference {
  const match = REFERENCE_PATTERN.exec(full);
  if (match === null) {
    if (REFERENCE_PATTERN.test(full.toLowerCase())) {
      throw malformed(text, "invalid reference format: repository name must be lowercase");
    }
    throw malformed(text, "invalid reference format");
  }
  const name = NAME_PATTERN.exec(match[1] ?? "");
  const domain = name?.[1];
  const path = name?.[2];
  if (domain === undefined || path === undefined) throw malformed(text, "invalid reference format");
  if (path.length > NAME_LIMIT) {
    throw malformed(text, `repository name must not be more than ${NAME_LIMIT} characters`);
  }
  const tag = match[2];
  const digest = match[3] === undefined ? undefined : parseDigest(match[3]);
  return { domain, path, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

function looksLikeDomain(first: string): boolean {
  return first === "localhost" || /[.:]/.test(first) || first.toLowerCase() !== first;
}

function splitDomain(text: string): readonly [domain: string, remainder: string] {
  const slash = text.indexOf("/");
  const first = slash === -1 ? undefined : text.slice(0, slash);
  let domain = DEFAULT_DOMAIN;
  let remainder = text;
  if (first !== undefined && looksLikeDomain(first)) {
    domain = first === LEGACY_DEFAULT_DOMAIN ? DEFAULT_DOMAIN : first;
    remainder = text.slice(slash + 1);
  }
  if (domain === DEFAULT_DOMAIN && !remainder.includes("/")) remainder = OFFICIAL_PREFIX + remainder;
  return [domain, remainder];
}

/**
 * Parses what a user types. No tag is added: see {@link withDefaultTag}.
 *
 * @throws InvalidArgument with Docker's own texts
 */
export function parseReference(text: string): Reference {
  if (IDENTIFIER_PATTERN.test(text)) {
    throw malformed(text, `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  }
  const [domain, remainder] = splitDomain(text);
  const colon = remainder.indexOf(":");
  const remote = colon === -1 ? remainder : remainder.slice(0, colon);
  if (remote.toLowerCase() !== remote) {
    throw malformed(text, `invalid reference format: repository name (${remote}) must be lowercase`);
  }
  return parseStrict(`${domain}/${remainder}`, text);
}

/** What a user means by an argument that names an image: a reference, or an id in full or in part. */
export type ImageArgument =
  | { readonly kind: "reference"; readonly reference: Reference }
  | { readonly kind: "id"; readonly digest: Digest };

/**
 * Parses an argument that may be an id: 64 hex digits and `sha256:…` are ids, the rest are references. Short hex strings
 * are both a name and a prefix of an id; they come back as references, and the image store knows which one exists.
 *
 * @throws InvalidArgument
 */
export function parseImageArgument(text: string): ImageArgument {
  if (IDENTIFIER_PATTERN.test(text)) return { kind: "id", digest: parseDigest(`sha256:${text}`) };
  if (/^sha256:[a-f0-9]{64}$/.test(text)) return { kind: "id", digest: parseDigest(text) };
  return { kind: "reference", reference: parseReference(text) };
}

/** The reference with `:latest` if it has neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: DEFAULT_TAG } : reference;
}

/** The same repository with another tag and no digest. @throws InvalidArgument for a malformed tag */
export function withTag(reference: Reference, tag: string): Reference {
  if (!TAG_PATTERN.test(tag)) throw malformed(tag, "invalid tag format");
  return { domain: reference.domain, path: reference.path, tag };
}

/** The same repository by digest, without tag. */
export function withDigest(reference: Reference, digest: Digest): Reference {
  return { domain: reference.domain, path: reference.path, digest };
}

/** The repository, in full: `docker.io/library/nginx`. */
export function repositoryName(reference: Reference): string {
  return `${reference.domain}/${reference.path}`;
}

function suffix(reference: Reference): string {
  const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
  const digest = reference.digest === undefined ? "" : `@${reference.digest}`;
  return tag + digest;
}

/** The reference in full: `docker.io/library/nginx:latest`. Parsing it gives the same reference. */
export function formatReference(reference: Reference): string {
  return repositoryName(reference) + suffix(reference);
}

/** The repository as Docker prints it: `nginx`, `bitnami/redis`, `quay.io/x/y`. */
export function familiarName(reference: Reference): string {
  if (reference.domain !== DEFAULT_DOMAIN) return repositoryName(reference);
  const { path } = reference;
  if (!path.startsWith(OFFICIAL_PREFIX)) return path;
  const rest = path.slice(OFFICIAL_PREFIX.length);
  return rest.includes("/") ? path : rest;
}

/** The reference as Docker prints it: `nginx:1.27`, `quay.io/x/y@sha256:…`. */
export function familiarReference(reference: Reference): string {
  return familiarName(reference) + suffix(reference);
}

/** Whether the text names its registry itself, so that no search registry applies. */
export function isQualified(text: string): boolean {
  const slash = text.indexOf("/");
  return slash !== -1 && looksLikeDomain(text.slice(0, slash));
}

/**
 * The references that a short name may stand for, in the order in which they are to be tried.
 *
 * @param searchRegistries registries for names without one, @default ["docker.io"]
 */
export function candidateReferences(
  text: string,
  searchRegistries: readonly string[] = [DEFAULT_DOMAIN],
): readonly Reference[] {
  const plain = parseReference(text);
  if (isQualified(text)) return [plain];
  return searchRegistries.map((registry) => parseReference(`${registry}/${text}`));
}
