import { InvalidArgument } from "@boxship/base";
import type { ContentStore, Lease } from "../content-store/contract.ts";
import type { LayeredImage } from "../image-store/contract.ts";
import { type BuiltLayer, buildLayer } from "../layer/build-image.ts";
import { hostPlatform } from "../platform.ts";
import { parseReference, withDefaultTag } from "../reference.ts";
import { busyboxRoot } from "./busybox.ts";
import { debianRoot } from "./debian.ts";
import { readOsRelease } from "./os-release.ts";

export type BootstrapKind = "debian" | "busybox";

export interface BootstrapRequest {
  /**
   * `debian`: the base system of the machine's own distribution (Debian or Ubuntu) from its own package sources; needs
   * mmdebstrap. `busybox`: the machine's static busybox.
   */
  readonly kind: BootstrapKind;
  readonly store: ContentStore;
  /** Protects the layer until the image is recorded; hand it on to the image store. */
  readonly lease: Lease;
  /**
   * Time of the image and the latest time of its files, in seconds since the epoch: the same packages then give the same
   * image. @default the environment's SOURCE_DATE_EPOCH, or the time of what it is made of: of the busybox program, of the
   * newest list of packages
   */
  readonly epoch?: number;
  /** Lines for people. */
  readonly onProgress?: (message: string) => void;
  readonly signal?: AbortSignal;
}

export interface BootstrappedImage {
  readonly layer: BuiltLayer;
  /** For the image store's `addFromLayers`. */
  readonly image: LayeredImage;
  /** Names as people write them: `debian:bookworm`, `debian:latest`. */
  readonly tags: readonly string[];
}

/**
 * Makes a base image of one layer from what the machine has, without a registry. The layer is in the content store when
 * it resolves; recording and unpacking it is the caller's.
 *
 * @throws FailedPrecondition when a program that it needs is missing; Unavailable when packages cannot be fetched
 */
export async function bootstrapImage(request: BootstrapRequest): Promise<BootstrappedImage> {
  const { kind, store, lease, onProgress = () => {}, signal } = request;
  const epoch = request.epoch ?? environmentEpoch();
  const options = { epoch, onProgress, signal };
  const root =
    kind === "busybox" ? await busyboxRoot(options) : await debianRoot({ ...options, release: await readOsRelease() });
  const layer = await buildLayer({ archive: root.archive, rewrite: root.rewrite, store, lease, signal });
  onProgress(`layer of ${Math.round(layer.size / 1e6)} MB in ${layer.entries} files written`);
  const created = new Date(root.epoch === undefined ? Date.now() : root.epoch * 1000).toISOString();
  const { descriptor, diffId, size } = layer;
  const image: LayeredImage = {
    config: {
      created,
      ...platformFields(),
      config: root.config,
      history: [{ created, created_by: `boxship image bootstrap ${kind}`, comment: "made on the spot" }],
    },
    layers: [{ descriptor, diffId }],
    size,
    tags: root.tags.map((tag) => withDefaultTag(parseReference(tag))),
    lease,
  };
  return { layer, image, tags: root.tags };
}

function platformFields() {
  const { os, architecture, variant } = hostPlatform();
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}

function environmentEpoch(): number | undefined {
  const text = process.env["SOURCE_DATE_EPOCH"];
  if (text === undefined || text === "") return undefined;
  if (/^[0-9]{1,12}$/.test(text)) return Number(text);
  throw new InvalidArgument(`SOURCE_DATE_EPOCH is ${JSON.stringify(text)}, not seconds since the epoch`);
}
