import { Conflict, InvalidArgument, NotFound } from "@boxship/base";
import {
  configPlatform,
  type Descriptor,
  decodeManifest,
  digestOf,
  familiarReference,
  formatReference,
  MediaType,
  type Reference,
  type RegistryClient,
  withDefaultTag,
  withDigest,
} from "@boxship/oci";
import { encodeInOrder, formatOf } from "../copy/convert-manifest.ts";
import { copyImage } from "../copy/copy-image.ts";
import { inspectImage } from "../inspect/inspect-image.ts";
import type { RawManifest } from "../transport/contract.ts";
import { registryDestination, registrySource } from "../transport/registry.ts";

/** An index that is being put together: where its images are, and what it says of them. */
export interface ManifestList {
  /** In full, with a tag. */
  readonly name: string;
  readonly images: readonly ListedImage[];
}

export interface ListedImage {
  /** In full: as it was named. */
  readonly reference: string;
  readonly descriptor: Descriptor;
}

/** An image as a list has it, its platform from its configuration. @throws InvalidArgument for an index */
export async function describeImage(client: RegistryClient, reference: Reference): Promise<ListedImage> {
  const source = registrySource(client, reference);
  const raw = await client.manifest(reference);
  const name = familiarReference(reference);
  const document = decodeManifest(raw.bytes, { mediaType: raw.mediaType, name: `manifest of ${name}` });
  if (document.kind === "index") throw new InvalidArgument(`${name} is a manifest list`);
  const { config } = await inspectImage(source);
  const { mediaType } = document;
  const descriptor = { mediaType, digest: raw.digest, size: raw.bytes.byteLength, platform: configPlatform(config) };
  return { reference: formatReference(reference), descriptor };
}

/** The list with images added; one that is there already is replaced. */
export function addImages(list: ManifestList, images: readonly ListedImage[]): ManifestList {
  const names = new Set(images.map(({ reference }) => reference));
  return { ...list, images: [...list.images.filter(({ reference }) => !names.has(reference)), ...images] };
}

export interface PlatformChange {
  readonly os?: string | undefined;
  readonly architecture?: string | undefined;
  readonly variant?: string | undefined;
  readonly osVersion?: string | undefined;
  readonly osFeatures?: readonly string[] | undefined;
}

/** What docker's command line takes, by operating system. */
const ARCHITECTURES: ReadonlyMap<string, readonly string[]> = new Map([
  ["darwin", ["386", "amd64", "arm", "arm64"]],
  ["dragonfly", ["amd64"]],
  ["freebsd", ["386", "amd64", "arm"]],
  ["linux", ["386", "amd64", "arm", "arm64", "mips64", "mips64le", "ppc64le", "riscv64", "s390x"]],
  ["netbsd", ["386", "amd64", "arm"]],
  ["openbsd", ["386", "amd64", "arm"]],
  ["plan9", ["386", "amd64"]],
  ["solaris", ["amd64"]],
  ["windows", ["386", "amd64"]],
]);

/** The list with another platform for one of its images. @throws NotFound if that is not in it; InvalidArgument */
export function annotateImage(list: ManifestList, reference: Reference, change: PlatformChange): ManifestList {
  const name = formatReference(withDefaultTag(reference));
  const found = list.images.find((image) => image.reference === name);
  if (found === undefined) {
    throw new NotFound(`manifest for image ${familiarReference(reference)} does not exist in ${list.name}`, {
      subject: { kind: "image", name },
    });
  }
  const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
  const platform = { os: "", architecture: "", ...found.descriptor.platform, ...given };
  if (ARCHITECTURES.get(platform.os)?.includes(platform.architecture) !== true) {
    const { os = "", architecture = "" } = change;
    throw new InvalidArgument(`manifest entry for image has unsupported os/arch combination: ${os}/${architecture}`);
  }
  const changed = { ...found, descriptor: { ...found.descriptor, platform } };
  return { ...list, images: list.images.map((image) => (image === found ? changed : image)) };
}

/** The index itself: Docker's kind where all its images are Docker's, else the OCI's. */
export function encodeList(list: ManifestList): RawManifest {
  if (list.images.length === 0) throw new InvalidArgument(`manifest list ${list.name} has no images`);
  const docker = list.images.every(({ descriptor }) => formatOf(descriptor.mediaType) === "v2s2");
  const mediaType = docker ? MediaType.DockerIndex : MediaType.OciIndex;
  const bytes = encodeInOrder({ kind: "index", mediaType, manifests: list.images.map(({ descriptor }) => descriptor) });
  return { bytes, digest: digestOf(bytes), mediaType };
}

/**
 * Pushes a list and the images in it, which are copied or mounted where the repository does not have them.
 *
 * @throws Conflict if an image is not any more what it was when it was listed
 */
export async function pushList(
  client: RegistryClient,
  list: ManifestList,
  target: Reference,
  parse: (name: string) => Reference,
): Promise<RawManifest> {
  const index = encodeList(list);
  for (const { reference, descriptor } of list.images) {
    const from = withDigest(parse(reference), descriptor.digest);
    const to = withDigest(target, descriptor.digest);
    if (from.domain === to.domain && from.path === to.path) continue;
    const source = registrySource(client, from);
    const destination = registryDestination(client, to, { from });
    const copied = await copyImage({ source, destination, preserveDigests: true });
    if (copied.digest !== descriptor.digest) throw new Conflict(`${reference} has changed since it was listed`);
  }
  await client.putManifest(target, index);
  return index;
}
