import { join } from "node:path";
import { InvalidArgument, NotFound, systemCode, writeFileAtomic } from "@boxship/base";
import { type Descriptor, encodeDescriptor, Field, MANIFEST_SIZE_LIMIT, readDescriptor } from "@boxship/oci";
import { readSmallFile } from "./files.ts";

/** An image in a layout is named by this annotation (OCI image specification, annotations.md). */
export const REF_NAME = "org.opencontainers.image.ref.name";

/** The `index.json` of a layout; other members of the document are kept. */
export interface LayoutIndex {
  readonly document: Readonly<Record<string, unknown>>;
  readonly manifests: readonly Descriptor[];
}

/** Of a layout without images. */
export const EMPTY_INDEX: LayoutIndex = { document: { schemaVersion: 2 }, manifests: [] };
/** Content of `oci-layout`, as skopeo writes it. */
export const LAYOUT = '{"imageLayoutVersion": "1.0.0"}';

/** @throws InvalidArgument if it is malformed */
export function decodeIndex(bytes: Uint8Array, name: string): LayoutIndex {
  const field = Field.parse(name, bytes, MANIFEST_SIZE_LIMIT);
  const version = field.get("schemaVersion").integer();
  if (version !== 2) throw field.get("schemaVersion").fail(`schema version ${version} is unknown`);
  const manifests = field.get("manifests").optional((list) => list.array(readDescriptor)) ?? [];
  return { document: field.object(), manifests };
}

/** The index of the layout in a directory. @throws NotFound with Go's words */
export async function readPresentIndex(directory: string): Promise<LayoutIndex> {
  const path = join(directory, "index.json");
  return decodeIndex(await readSmallFile(path), path);
}

/** The index of the layout in a directory; an empty one where there is none. */
export async function readIndex(directory: string): Promise<LayoutIndex> {
  try {
    return await readPresentIndex(directory);
  } catch (error) {
    if (error instanceof NotFound && systemCode(error.cause) === "ENOENT") return EMPTY_INDEX;
    throw error;
  }
}

/** Writes index and marker so that they are the old or the new ones, whole. @param temporaryDirectory @default `directory` */
export async function writeIndex(directory: string, index: LayoutIndex, temporaryDirectory?: string): Promise<void> {
  await writeMarker(directory, temporaryDirectory);
  const options = { mode: 0o644, temporaryDirectory, writeHere: true };
  await writeFileAtomic(join(directory, "index.json"), encodeIndex(index), options);
}

/** The marker, for an index that is written after it, whose sync of the directory is both's. */
async function writeMarker(directory: string, temporaryDirectory: string | undefined): Promise<void> {
  const options = { mode: 0o644, temporaryDirectory, leaveDirectory: true, writeHere: true };
  await writeFileAtomic(join(directory, "oci-layout"), LAYOUT, options);
}

/** The document. */
export function encodeIndex({ document, manifests }: LayoutIndex): string {
  return JSON.stringify({ ...document, manifests: manifests.map(encodeIndexEntry) });
}

/** Members in the order that skopeo writes. */
function encodeIndexEntry(descriptor: Descriptor): Readonly<Record<string, unknown>> {
  const { mediaType, digest, size, ...rest } = encodeDescriptor(descriptor);
  return { mediaType, digest, size, ...rest };
}

/** The entry that a name stands for; without a name, the only one. @throws NotFound; InvalidArgument for several */
export function findEntry(index: LayoutIndex, image: string): Descriptor {
  if (image === "") {
    const [only, ...others] = index.manifests;
    if (only === undefined) throw new NotFound("no image in the layout");
    if (others.length > 0) throw new InvalidArgument("more than one image in oci, choose an image");
    return only;
  }
  const found = index.manifests.find(({ annotations }) => annotations?.[REF_NAME] === image);
  if (found !== undefined) return found;
  throw new NotFound(`no descriptor found for reference ${JSON.stringify(image)}`, {
    subject: { kind: "image", name: image },
  });
}

/** The index with an entry under a name. What had the name stays without it, as other names may lead there. */
export function withEntry(index: LayoutIndex, entry: Descriptor, image: string): LayoutIndex {
  const named = image === "" ? entry : { ...entry, annotations: { ...entry.annotations, [REF_NAME]: image } };
  const same = (other: Descriptor) => other.digest === named.digest && (other.annotations?.[REF_NAME] ?? "") === image;
  if (index.manifests.some(same)) {
    return { ...index, manifests: index.manifests.map((other) => (same(other) ? named : other)) };
  }
  const others = index.manifests.map((other) => {
    if (image === "" || other.annotations?.[REF_NAME] !== image) return other;
    const { [REF_NAME]: _name, ...annotations } = other.annotations;
    const { annotations: _all, ...plain } = other;
    return Object.keys(annotations).length === 0 ? plain : { ...plain, annotations };
  });
  return { ...index, manifests: [...others, named] };
}

/** The index without a name, and whether it was there. */
export function withoutEntry(index: LayoutIndex, image: string): LayoutIndex {
  findEntry(index, image);
  return { ...index, manifests: index.manifests.filter(({ annotations }) => annotations?.[REF_NAME] !== image) };
}
