import type { ImageRunConfig, ImageView } from "@boxship/engine";
import { parseUnixSeconds, rfc3339 } from "../format/time.ts";
import { containerConfig } from "../wire/container-config.ts";

/** One entry of `GET /images/json`. `counts` adds what takes time to find out; without it Docker shows -1. */
export function encodeImageSummary(
  image: ImageView,
  version: number,
  counts: { readonly sharedSize: boolean; readonly containers: boolean; readonly manifests?: boolean },
): Record<string, unknown> {
  return {
    Id: image.id,
    ParentId: "",
    RepoTags: image.repoTags.length === 0 && version < 43 ? ["<none>:<none>"] : image.repoTags,
    RepoDigests:
      image.repoDigests.length === 0 && image.repoTags.length === 0 && version < 43
        ? ["<none>@<none>"]
        : image.repoDigests,
    Created: parseUnixSeconds(image.created),
    Size: image.size,
    SharedSize: counts.sharedSize ? (image.sharedSize ?? 0) : -1,
    ...(version < 44 ? { VirtualSize: image.size } : {}),
    Labels: image.config.labels ?? null,
    Containers: counts.containers || version >= 51 ? image.containers : -1,
    ...(version >= 48 ? { Descriptor: descriptor(image) } : {}),
    ...(counts.manifests === true && version >= 47 ? { Manifests: [manifest(image)] } : {}),
  };
}

function descriptor(image: ImageView): Record<string, unknown> {
  const { mediaType, digest, size } = image.manifest;
  return { mediaType, digest, size };
}

/** The one platform that is here. */
function manifest(image: ImageView): Record<string, unknown> {
  const platform = {
    architecture: image.architecture,
    os: image.os,
    ...(image.variant === undefined ? {} : { variant: image.variant }),
  };
  return {
    ID: image.manifest.digest,
    Descriptor: { ...descriptor(image), platform },
    Available: true,
    Size: { Content: image.manifest.size, Total: image.manifest.size + image.size },
    Kind: "image",
    ImageData: { Platform: platform, Containers: [], Size: { Unpacked: image.size } },
  };
}

/**
 * `GET /images/{name}/json`.
 *
 * @param outdated the client asks for the newest version and relies on what 1.45 has taken out
 */
export function encodeImageInspect(
  image: ImageView,
  version: number,
  { manifests, outdated = false }: { readonly manifests: boolean; readonly outdated?: boolean },
): Record<string, unknown> {
  return {
    Id: image.id,
    RepoTags: image.repoTags,
    RepoDigests: image.repoDigests,
    Parent: "",
    Comment: image.comment ?? "",
    ...(image.created === undefined && version >= 44 ? {} : { Created: image.created ?? rfc3339(undefined) }),
    ...(version < 45 || outdated
      ? { Container: "", ContainerConfig: containerConfig.encode({ image: "" }, version) }
      : {}),
    DockerVersion: "",
    Author: image.author ?? "",
    Config: encodeRunConfig(image.config, version),
    Architecture: image.architecture,
    ...(image.variant === undefined ? {} : { Variant: image.variant }),
    Os: image.os,
    ...(image.osVersion === undefined ? {} : { OsVersion: image.osVersion }),
    Size: image.size,
    ...(version < 44 ? { VirtualSize: image.size } : {}),
    GraphDriver: { Data: image.graph.data, Name: image.graph.name },
    RootFS: { Type: "layers", ...(image.diffIds.length === 0 ? {} : { Layers: image.diffIds }) },
    Metadata: { LastTagTime: rfc3339(image.lastTagged) },
    ...(version >= 48 ? { Descriptor: descriptor(image) } : {}),
    ...(manifests && version >= 48 ? { Manifests: [manifest(image)] } : {}),
  };
}

/** Fields that an image cannot have; 1.50 stopped showing them. */
const CONTAINER_ONLY = [
  "Hostname",
  "Domainname",
  "AttachStdin",
  "AttachStdout",
  "AttachStderr",
  "Tty",
  "OpenStdin",
  "StdinOnce",
  "Image",
];

function encodeRunConfig(config: ImageRunConfig, version: number): Record<string, unknown> {
  const encoded = containerConfig.encode({ ...config, image: "" }, version) as Record<string, unknown>;
  if (config.labels === undefined) encoded["Labels"] = null;
  if (version < 50) return encoded;
  const entries = Object.entries(encoded).filter(([name, value]) => !CONTAINER_ONLY.includes(name) && value !== null);
  return Object.fromEntries(entries);
}
