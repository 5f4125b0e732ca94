import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { NotFound, systemCode } from "@boxship/base";
import {
  encodeDescriptor,
  Field,
  formatReference,
  MANIFEST_SIZE_LIMIT,
  type Reference,
  readDescriptor,
} from "@boxship/oci";
import { putBytes } from "../transport/files.ts";
import type { ManifestList } from "./manifest-list.ts";

/** Lists that were created and not pushed yet, as files of a directory. */
export class ManifestListFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  #path(reference: Reference): string {
    return join(this.#directory, `${encodeURIComponent(formatReference(reference))}.json`);
  }

  /** @throws InvalidArgument if the file is damaged */
  async find(reference: Reference): Promise<ManifestList | undefined> {
    const path = this.#path(reference);
    const bytes = await readFile(path).catch((error: unknown) => {
      if (systemCode(error) === "ENOENT") return undefined;
      throw error;
    });
    if (bytes === undefined) return undefined;
    const field = Field.parse(path, bytes, MANIFEST_SIZE_LIMIT);
    return {
      name: field.get("name").string(),
      images: field.get("images").array((image) => ({
        reference: image.get("reference").string(),
        descriptor: readDescriptor(image.get("descriptor")),
      })),
    };
  }

  /** @throws NotFound */
  async get(reference: Reference): Promise<ManifestList> {
    const list = await this.find(reference);
    if (list !== undefined) return list;
    throw new NotFound(`No such manifest: ${formatReference(reference)}`, {
      subject: { kind: "manifest list", name: formatReference(reference) },
    });
  }

  async save(reference: Reference, list: ManifestList): Promise<void> {
    const images = list.images.map(({ reference: name, descriptor }) => ({
      reference: name,
      descriptor: encodeDescriptor(descriptor),
    }));
    await putBytes(this.#path(reference), JSON.stringify({ name: list.name, images }));
  }

  /** @throws NotFound */
  async remove(reference: Reference): Promise<void> {
    await this.get(reference);
    await rm(this.#path(reference));
  }
}
