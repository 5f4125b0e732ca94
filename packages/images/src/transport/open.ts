import { InvalidArgument } from "@boxship/base";
import { type Reference, type RegistryClient, withDefaultTag } from "@boxship/oci";
import type { ImageDestination, ImageSource, LayerForm } from "./contract.ts";
import { directoryDestination, directorySource } from "./directory.ts";
import { dockerArchiveDestination } from "./docker-archive-destination.ts";
import { dockerArchiveSource } from "./docker-archive-source.ts";
import { type EngineStore, engineDestination, engineSource } from "./engine.ts";
import type { ImageName } from "./image-name.ts";
import { layoutDestination, layoutSource } from "./layout.ts";
import { layoutArchiveDestination, layoutArchiveSource } from "./layout-archive.ts";
import { registryDestination, registrySource } from "./registry.ts";

/** What places need to be reached. */
export interface Surroundings {
  readonly client: RegistryClient;
  readonly engine: EngineStore;
  /** Directory of blobs that layouts share. @default each its own */
  readonly sharedBlobs?: string | undefined;
}

/** Opens an image to be read. @throws NotFound, InvalidArgument, Unavailable as the place says */
export async function openSource(name: ImageName, { client, engine, sharedBlobs }: Surroundings): Promise<ImageSource> {
  switch (name.transport) {
    case "docker":
      return registrySource(client, name.reference);
    case "oci":
      return layoutSource({ path: name.path, image: name.image, sharedBlobs });
    case "oci-archive":
      return layoutArchiveSource(name.path, name.image, describeName(name));
    case "dir":
      return directorySource(name.path);
    case "docker-archive":
      return dockerArchiveSource(name.path, name.select, describeName(name));
    case "docker-daemon":
    case "containers-storage":
      return engineSource(engine, name.image, describeName(name));
    default:
      return name satisfies never;
  }
}

export interface DestinationOptions extends Surroundings {
  /** Form of layers in a directory. @default as they are */
  readonly layers?: LayerForm | undefined;
  /** Leave plain layers in a layout as they are. @default false */
  readonly keepPlainLayers?: boolean | undefined;
  /** Further names in an archive. @default [] */
  readonly additionalTags?: readonly Reference[] | undefined;
  /** Where blobs come from, for mounts. @default nowhere */
  readonly from?: Reference | undefined;
}

/** Opens a place to be written. */
export async function openDestination(name: ImageName, options: DestinationOptions): Promise<ImageDestination> {
  const { client, engine, sharedBlobs, layers, keepPlainLayers, additionalTags = [], from } = options;
  switch (name.transport) {
    case "docker":
      return registryDestination(client, name.reference, { from });
    case "oci":
      return layoutDestination({ path: name.path, image: name.image, sharedBlobs, keepPlainLayers });
    case "oci-archive":
      return layoutArchiveDestination(name.path, name.image);
    case "dir":
      return directoryDestination(name.path, layers);
    case "docker-archive": {
      if (name.select.kind === "index") throw new InvalidArgument("a destination in an archive cannot be an index");
      const own = name.select.kind === "tag" ? [name.select.reference] : [];
      return dockerArchiveDestination({ path: name.path, tags: [...own, ...additionalTags.map(withDefaultTag)] });
    }
    case "docker-daemon":
    case "containers-storage":
      return engineDestination(engine, name.image, describeName(name));
    default:
      return name satisfies never;
  }
}

/** The name as a user would type it. */
export function describeName(name: ImageName): string {
  switch (name.transport) {
    case "docker":
      return `docker://${name.reference.domain}/${name.reference.path}`;
    case "oci":
    case "oci-archive":
      return `${name.transport}:${name.path}${name.image === "" ? "" : `:${name.image}`}`;
    case "dir":
    case "docker-archive":
      return `${name.transport}:${name.path}`;
    case "docker-daemon":
    case "containers-storage":
      return `${name.transport}:${name.image}`;
    default:
      return name satisfies never;
  }
}
