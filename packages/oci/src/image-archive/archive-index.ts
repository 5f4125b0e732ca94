import { Field } from "../decode.ts";
import { type Descriptor, readDescriptor } from "../descriptor.ts";
import { parseReference, type Reference, withDefaultTag } from "../reference.ts";

const LIMIT = 4 * 1024 * 1024;
/** Names under which containerd and Docker (the first), and everybody else (the second), keep an image in a layout. */
const IMAGE_NAME = "io.containerd.image.name";
const REF_NAME = "org.opencontainers.image.ref.name";

/** One image of Docker's `manifest.json` (Docker image specification 1.2, "Combined Image JSON + Filesystem Changeset"). */
export interface DockerArchiveEntry {
  /** Name of the configuration's file. */
  readonly config: string;
  /** Names of the layers' files, the bottom first. */
  readonly layers: readonly string[];
  readonly tags: readonly Reference[];
}

/** @throws InvalidArgument if it is malformed */
export function decodeDockerManifest(bytes: Uint8Array): readonly DockerArchiveEntry[] {
  return Field.parse("manifest.json of the archive", bytes, LIMIT).array((entry) => ({
    config: entry.get("Config").string(),
    layers: entry.get("Layers").optional((layers) => layers.strings()) ?? [],
    tags: entry.get("RepoTags").optional((tags) => tags.array(readTag)) ?? [],
  }));
}

function readTag(field: Field): Reference {
  const text = field.string();
  const reference = nameOf(text);
  if (reference?.tag === undefined || reference.digest !== undefined) {
    throw field.fail(`${JSON.stringify(text)} is no name with a tag`);
  }
  return reference;
}

/** A manifest or an index in a layout, with the name that the layout gives it. */
export interface LayoutEntry {
  readonly descriptor: Descriptor;
  readonly name: Reference | undefined;
}

/**
 * Reads the `index.json` of an image layout (OCI image specification, image-layout.md). An annotation that is only a tag,
 * as the specification has it, names no image here: its repository is not known.
 *
 * @throws InvalidArgument if it is malformed
 */
export function decodeLayoutIndex(bytes: Uint8Array): readonly LayoutEntry[] {
  const document = Field.parse("index.json of the archive", bytes, LIMIT);
  const version = document.get("schemaVersion").integer();
  if (version !== 2) throw document.get("schemaVersion").fail(`schema version ${version} is unknown`);
  return document.get("manifests").array((field) => {
    const descriptor = readDescriptor(field);
    return { descriptor, name: layoutName(descriptor.annotations ?? {}) };
  });
}

function layoutName(annotations: Readonly<Record<string, string>>): Reference | undefined {
  const full = annotations[IMAGE_NAME];
  if (full !== undefined) return nameOf(full);
  const short = annotations[REF_NAME];
  return short !== undefined && /[:/]/.test(short) ? nameOf(short) : undefined;
}

/** A name with a tag, `latest` where there is none; undefined for anything else. */
function nameOf(text: string): Reference | undefined {
  try {
    const reference = withDefaultTag(parseReference(text));
    return reference.tag === undefined ? undefined : { ...reference, tag: reference.tag };
  } catch {
    return undefined;
  }
}

/** @throws InvalidArgument for another version of the layout */
export function checkLayoutVersion(bytes: Uint8Array): void {
  const document = Field.parse("oci-layout of the archive", bytes, LIMIT);
  const version = document.get("imageLayoutVersion").string();
  if (!version.startsWith("1.")) throw document.get("imageLayoutVersion").fail(`version ${version} is unknown`);
}
