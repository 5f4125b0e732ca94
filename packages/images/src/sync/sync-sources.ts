import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { errorMessage, InvalidArgument, NotFound } from "@boxship/base";
import { formatReference, type Reference, type RegistryClient, repositoryName } from "@boxship/oci";
import { type ImageName, skopeoReference } from "../transport/image-name.ts";

/** Images that are copied together: of one repository, or below one directory. */
export interface SyncSource {
  readonly images: readonly SyncImage[];
  /** Its registry; undefined for a directory. @default the one that the caller has */
  readonly registry?: string;
}

export interface SyncImage {
  readonly name: ImageName;
  /** Where it goes below the destination, in full. */
  readonly path: string;
}

/** Words for a log. */
export type SyncLog = (message: string, fields?: Readonly<Record<string, string>>) => void;

/** All tags of a repository, or the one that is named. @throws NotFound without any */
export async function repositorySource(client: RegistryClient, text: string, log: SyncLog): Promise<SyncSource> {
  const reference = syncReference(text);
  const tagged = reference.tag !== undefined || reference.digest !== undefined;
  log("Tag presence check", { imagename: text, tagged: String(tagged) });
  if (tagged) return { images: [imageOf(reference)], registry: reference.domain };
  return { images: await allTags(client, reference, log), registry: reference.domain };
}

/** What a repository's name to be synced stands for. @throws InvalidArgument in skopeo's words */
export function syncReference(text: string): Reference {
  try {
    return skopeoReference(text);
  } catch (error) {
    throw new InvalidArgument(
      `Cannot obtain a valid image reference for transport "docker" and reference ${JSON.stringify(text)}: ${errorMessage(error)}`,
      { cause: error },
    );
  }
}

export async function allTags(
  client: RegistryClient,
  reference: Reference,
  log: SyncLog,
): Promise<readonly SyncImage[]> {
  log("Getting tags", { image: repositoryName(reference) });
  const tags = await client.tags(reference);
  if (tags.length === 0) {
    throw new NotFound(`No images to sync found in ${JSON.stringify(repositoryName(reference))}`, {
      subject: { kind: "repository", name: repositoryName(reference) },
    });
  }
  return tags.map((tag) => imageOf({ domain: reference.domain, path: reference.path, tag }));
}

export function imageOf(reference: Reference): SyncImage {
  return { name: { transport: "docker", reference }, path: formatReference(reference) };
}

/** Every image directory at or below a path. */
export async function directorySource(path: string): Promise<SyncSource> {
  const found: SyncImage[] = [];
  const visit = async (directory: string, below: string): Promise<void> => {
    const entries = await readdir(directory, { withFileTypes: true }).catch((error: unknown) => {
      throw new InvalidArgument(`Error while looking for images in ${directory}`, { cause: error });
    });
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    if (entries.some(({ name }) => name === "manifest.json")) {
      found.push({ name: { transport: "dir", path: directory }, path: below === "" ? basename(path) : below });
      return;
    }
    for (const entry of entries) {
      if (entry.isDirectory()) await visit(join(directory, entry.name), join(below, entry.name));
    }
  };
  await visit(path, "");
  if (found.length > 0) return { images: found };
  throw new NotFound(`No images to sync found in ${JSON.stringify(path)}`, {
    subject: { kind: "directory", name: path },
  });
}
