import type { Descriptor } from "@boxship/oci";
import { MediaType } from "@boxship/oci";

/** An image manifest of Docker's schema 2, with members in the order that Go programs write. */
export function encodeDockerManifest(config: Descriptor, layers: readonly Descriptor[]): Buffer {
  const member = ({ mediaType, size, digest, urls }: Descriptor) => ({
    mediaType,
    size,
    digest,
    ...(urls !== undefined && { urls }),
  });
  const document = {
    schemaVersion: 2,
    mediaType: MediaType.DockerManifest,
    config: member(config),
    layers: layers.map(member),
  };
  return Buffer.from(goJson(document));
}

/** JSON as Go's encoder writes it: `<`, `>` and `&` escaped. */
export function goJson(document: unknown, indent?: string): string {
  return JSON.stringify(document, undefined, indent)
    .replaceAll("<", "\\u003c")
    .replaceAll(">", "\\u003e")
    .replaceAll("&", "\\u0026")
    .replaceAll("\u2028", "\\u2028")
    .replaceAll("\u2029", "\\u2029");
}
