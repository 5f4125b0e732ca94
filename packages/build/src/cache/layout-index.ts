import { InvalidArgument } from "@boxship/base/errors";

/** The annotation by which an entry of an OCI layout is found (image-layout.md). */
const REF_NAME = "org.opencontainers.image.ref.name";

export const DEFAULT_TAG = "latest";

/** As much of a layout's `index.json` as is looked at. */
export interface LayoutIndex {
  readonly manifests: readonly LayoutEntry[];
}

interface LayoutEntry {
  readonly digest: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** @throws InvalidArgument */
export function parseLayoutIndex(text: string): LayoutIndex {
  try {
    const value: unknown = JSON.parse(text);
    const manifests = typeof value === "object" && value !== null && "manifests" in value ? value.manifests : undefined;
    if (!Array.isArray(manifests)) throw new TypeError("it lists no manifests");
    return { manifests: manifests.filter(isEntry) };
  } catch (cause) {
    throw new InvalidArgument("index.json is malformed", { cause });
  }
}

function isEntry(entry: unknown): entry is LayoutEntry {
  return typeof entry === "object" && entry !== null && "digest" in entry && typeof entry.digest === "string";
}

/** The entry of an index under a tag; one alone needs none. */
export function findLayoutEntry({ manifests }: LayoutIndex, tag: string): string | undefined {
  const tagged = manifests.findLast(({ annotations }) => annotations?.[REF_NAME] === tag);
  return (tagged ?? (manifests.length === 1 ? manifests[0] : undefined))?.digest;
}

/** An index with an entry under a tag, which moves there. */
export function withLayoutEntry(
  index: LayoutIndex,
  descriptor: { readonly mediaType: string; readonly digest: string; readonly size: number },
  tag: string,
): object {
  const { mediaType, digest, size } = descriptor;
  const others = index.manifests.filter(({ annotations }) => annotations?.[REF_NAME] !== tag);
  const entry = { mediaType, digest, size, annotations: { [REF_NAME]: tag } };
  return {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [...others, entry],
  };
}
