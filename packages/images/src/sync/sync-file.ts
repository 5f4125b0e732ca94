import { InvalidArgument } from "@boxship/base";
import { Field, isDigest, parseReference, type Reference, withDigest, withTag } from "@boxship/oci";
import { load } from "js-yaml";

/** One registry of a file for `sync --src yaml` (skopeo-sync(1), "YAML FILE CONTENT"). */
export interface SyncRegistry {
  readonly registry: string;
  readonly credentials?: { readonly username: string; readonly password: string };
  readonly tlsVerify?: boolean;
  readonly certDir?: string;
  /** All tags of these repositories. */
  readonly repositories: readonly Reference[];
  /** Just these. */
  readonly images: readonly { readonly repository: Reference; readonly references: readonly Reference[] }[];
  /** Tags of a repository that an expression fits. */
  readonly matching: readonly { readonly repository: Reference; readonly tags: RegExp }[];
}

const KNOWN: ReadonlySet<string> = new Set(["images", "images-by-tag-regex", "credentials", "tls-verify", "cert-dir"]);
const LIMIT = 1024 * 1024;

/** @throws InvalidArgument for what is malformed or unknown */
export function parseSyncFile(text: string, name: string): readonly SyncRegistry[] {
  let document: unknown;
  try {
    document = load(text);
  } catch (error) {
    throw new InvalidArgument(`${name} is no YAML: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  // Through JSON, so that aliases and dates are what they say, and sizes are bounded.
  const field = Field.parse(name, Buffer.from(JSON.stringify(document ?? {})), LIMIT);
  return Object.keys(field.object()).map((registry) => readRegistry(registry, field.get(registry), name));
}

function readRegistry(registry: string, field: Field, file: string): SyncRegistry {
  for (const key of Object.keys(field.object())) {
    if (!KNOWN.has(key)) throw new InvalidArgument(`${file}: registry ${registry}: unknown key ${JSON.stringify(key)}`);
  }
  const images = Object.entries(field.get("images").optional((list) => list.record((tags) => strings(tags))) ?? {});
  const repository = (path: string) => parseReference(`${registry}/${path}`);
  const credentials = field.get("credentials").optional((pair) => ({
    username: pair.get("username").string(),
    password: pair.get("password").string(),
  }));
  const tlsVerify = field.get("tls-verify").optional((value) => value.boolean());
  const certDir = field.get("cert-dir").optional((value) => value.string());
  const patterns = field.get("images-by-tag-regex").optional((list) => list.stringRecord()) ?? {};
  return {
    registry,
    ...(credentials !== undefined && { credentials }),
    ...(tlsVerify !== undefined && { tlsVerify }),
    ...(certDir !== undefined && certDir !== "" && { certDir }),
    repositories: images.filter(([, tags]) => tags.length === 0).map(([path]) => repository(path)),
    images: images
      .filter(([, tags]) => tags.length > 0)
      .map(([path, tags]) => ({
        repository: repository(path),
        references: tags.map((tag) => one(repository(path), tag)),
      })),
    matching: Object.entries(patterns).map(([path, pattern]) => ({
      repository: repository(path),
      tags: expression(pattern, file),
    })),
  };
}

function strings(field: Field): readonly string[] {
  return field.present ? field.strings() : [];
}

function one(repository: Reference, tag: string): Reference {
  return isDigest(tag) ? withDigest(repository, tag) : withTag(repository, tag);
}

function expression(pattern: string, file: string): RegExp {
  try {
    return new RegExp(pattern);
  } catch (error) {
    throw new InvalidArgument(`${file}: ${JSON.stringify(pattern)} is no regular expression`, { cause: error });
  }
}
