import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { FailedPrecondition, NotFound } from "@boxship/base";
import { digestOf } from "@boxship/oci";
import type { ImageDestination, ImageSource, LayerForm } from "./contract.ts";
import { FileDirectories, hasFile, hexOf, placeContent, putBytes, readSmallFile } from "./files.ts";
import { readManifestFile } from "./layout.ts";
import { isWorkspace, openWorkspace } from "./workspace.ts";

const VERSION = "Directory Transport Version: 1.1\n";

/** An image as files in a directory: the manifest, and blobs by their digests (skopeo's `dir:`). */
export function directorySource(path: string): ImageSource {
  return {
    name: `dir:${path}`,
    async manifest(digest) {
      if (digest !== undefined) return readManifestFile(join(path, `${hexOf(digest)}.manifest.json`), digest, "");
      const bytes = await readSmallFile(join(path, "manifest.json"));
      return { bytes, digest: digestOf(bytes), mediaType: "" };
    },
    blob: (descriptor) => Promise.resolve({ path: join(path, hexOf(descriptor.digest)), owned: false }),
    async [Symbol.asyncDispose]() {},
  };
}

/** @param layers @default "as they are" */
export async function directoryDestination(path: string, layers: LayerForm = "as they are"): Promise<ImageDestination> {
  await mkdir(path, { recursive: true });
  await using opening = new AsyncDisposableStack();
  const workspace = opening.use(await openWorkspace(path));
  await prepare(path, workspace.path);
  opening.move();
  const directories = new FileDirectories();
  let top: Uint8Array | undefined;
  return {
    name: `dir:${path}`,
    layers,
    scratch: { directory: workspace.path, moved: true },
    async put(descriptor, content) {
      const target = join(path, hexOf(descriptor.digest));
      await directories.make(target);
      if (await hasFile(descriptor, target)) return "present";
      await placeContent({ descriptor, content, to: target, temporaryDirectory: workspace.path, directories });
      return "copied";
    },
    async putManifest({ bytes, digest }, isTop) {
      if (isTop) top = bytes;
      else await putBytes(join(path, `${hexOf(digest)}.manifest.json`), bytes, workspace.path);
    },
    async commit() {
      await directories.sync();
      if (top !== undefined) await putBytes(join(path, "manifest.json"), top, workspace.path);
    },
    [Symbol.asyncDispose]: () => workspace[Symbol.asyncDispose](),
  };
}

/** A directory with other things in it is left alone. */
async function prepare(path: string, temporaryDirectory: string): Promise<void> {
  const names = (await readdir(path)).filter((name) => !isWorkspace(name));
  if (names.length > 0) {
    const version = await readSmallFile(join(path, "version"), 1024).catch((error: unknown) => {
      if (error instanceof NotFound) return undefined;
      throw error;
    });
    if (version?.toString() !== VERSION) {
      throw new FailedPrecondition(
        `not a containers image directory: don't want to overwrite important data: ${path}`,
        {
          subject: { kind: "directory", name: path },
          remedy: "choose a new or an empty directory",
        },
      );
    }
  }
  await putBytes(join(path, "version"), VERSION, temporaryDirectory);
}
