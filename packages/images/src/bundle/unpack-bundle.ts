import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { AlreadyExists, systemCode } from "@boxship/base";
import { type Digest, Field } from "@boxship/oci";
import { openImageFiles } from "../inspect/image-files.ts";
import { putBytes, readSmallFile } from "../transport/files.ts";
import { layoutSource } from "../transport/layout.ts";
import { applyLayer } from "./apply-layer.ts";
import { runtimeConfig } from "./runtime-config.ts";
import { readTreeState, type TreeState } from "./tree-state.ts";

/** What a bundle remembers of where it came from. */
export interface BundleOrigin {
  /** Of the image's manifest. */
  readonly manifest: Digest;
  readonly tree: TreeState;
}

const ORIGIN = "boxship-bundle.json";
const ORIGIN_LIMIT = 1024 * 1024 * 1024;

export interface UnpackBundleRequest {
  /** Directory of an OCI image layout. */
  readonly layout: string;
  readonly image: string;
  /** Directory that is made. */
  readonly bundle: string;
}

/**
 * Unpacks an image of a layout into a bundle for an OCI runtime: `rootfs`, `config.json`, and what {@link repackBundle}
 * has to know.
 *
 * @throws AlreadyExists if the directory holds something; InvalidArgument for damaged layers
 */
export async function unpackBundle({ layout, image, bundle }: UnpackBundleRequest): Promise<void> {
  await requireEmpty(bundle);
  const rootfs = join(bundle, "rootfs");
  await mkdir(rootfs, { recursive: true });
  await using source = await layoutSource({ path: layout, image });
  await using files = await openImageFiles(source);
  for (const [index, { path }] of files.layers.entries()) {
    await applyLayer(path, files.config.rootfs.diff_ids[index] ?? files.digest, rootfs);
  }
  await putBytes(join(bundle, "config.json"), JSON.stringify(runtimeConfig(files.config, rootfs), undefined, "\t"));
  await writeOrigin(bundle, { manifest: files.manifest, tree: await readTreeState(rootfs) });
}

async function requireEmpty(bundle: string): Promise<void> {
  const names = await readdir(bundle).catch((error: unknown) => {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  });
  if (names.length > 0) {
    throw new AlreadyExists(`${bundle} is not empty`, { subject: { kind: "directory", name: bundle } });
  }
}

export async function writeOrigin(bundle: string, origin: BundleOrigin): Promise<void> {
  await putBytes(join(bundle, ORIGIN), JSON.stringify(origin));
}

/** @throws NotFound for a directory that is no bundle of ours; InvalidArgument for a damaged one */
export async function readOrigin(bundle: string): Promise<BundleOrigin> {
  const path = join(bundle, ORIGIN);
  const field = Field.parse(path, await readSmallFile(path, ORIGIN_LIMIT), ORIGIN_LIMIT);
  return { manifest: field.get("manifest").string() as Digest, tree: field.get("tree").stringRecord() };
}
