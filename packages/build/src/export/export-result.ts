import { InvalidArgument, Unsupported } from "@boxship/base";
import { makeImage, newImageName, pushImage, unpackInto } from "@boxship/engine";
import {
  type Descriptor,
  type Digest,
  exportTree,
  familiarReference,
  type Reference,
  saveImages,
  unpackStored,
} from "@boxship/oci";
import type { BuildResult, Output } from "../contract.ts";
import { platformText } from "../solver/build-args.ts";
import { keyOf } from "../solver/keys.ts";
import type { BuildSession } from "../solver/session.ts";
import { imageDocument, type StageState } from "../solver/state.ts";
import { withRoot } from "../solver/working-layer.ts";
import { exportIndex } from "./export-index.ts";
import { type BuiltImage, isIndexOutput } from "./image-index.ts";
import { inlineFields, writeImage } from "./image-manifest.ts";

type OutputOf<Kind extends Output["kind"]> = Extract<Output, { readonly kind: Kind }>;

/** Finds before anything is built what could not be done with it. @throws InvalidArgument */
export function checkOutputs(outputs: readonly Output[] = []): void {
  for (const output of outputs) {
    const names = "names" in output ? namesOf(output.names) : [];
    if (output.kind === "image" && output.push === true && names.length === 0) {
      throw new InvalidArgument("an image without a name cannot be pushed", { remedy: "give it one with --tag" });
    }
  }
}

/** Does what the request asks with the finished stage, and makes all of it durable. */
export async function exportResult(built: readonly BuiltImage[]): Promise<BuildResult> {
  const [first] = built;
  if (first === undefined) throw new TypeError("nothing was built");
  const { session } = first;
  for (const one of built) await one.session.settle();
  const outputs = session.request.outputs ?? [{ kind: "image", names: [] }];
  let result: BuildResult = { metadata: {}, warnings: session.warnings };
  for (const [index, output] of outputs.entries()) {
    const made = await observed(session, output, index, () => exportOne(built, first, output));
    result = { ...result, ...made, metadata: { ...result.metadata, ...made.metadata } };
  }
  return { ...result, warnings: session.warnings };
}

const NAMES: Readonly<Record<Output["kind"], string>> = {
  image: "exporting to image",
  oci: "exporting to oci image format",
  docker: "exporting to docker image format",
  tar: "exporting to client tarball",
  local: "exporting to client directory",
  none: "finishing",
};

async function observed<T>(session: BuildSession, { kind }: Output, index: number, task: () => Promise<T>): Promise<T> {
  if (kind === "none") return task();
  const vertex = `sha256:${keyOf("export", kind, index)}`;
  session.announce({ digest: vertex, inputs: [], name: NAMES[kind] });
  session.emit({ kind: "started", vertex, time: session.now() });
  try {
    const result = await task();
    session.emit({ kind: "completed", vertex, time: session.now(), cached: false });
    return result;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    session.emit({ kind: "failed", vertex, time: session.now(), error: message });
    throw error;
  }
}

async function exportOne(
  built: readonly BuiltImage[],
  { session, state }: BuiltImage,
  output: Output,
): Promise<Partial<BuildResult>> {
  refuseForm(built, output);
  switch (output.kind) {
    case "image":
      if (isIndexOutput(built, output)) return exportIndex(built, output, namesOf(output.names));
      return exportImage(session, state, output);
    case "oci":
    case "docker":
      if (output.kind === "oci" && isIndexOutput(built, output)) {
        return exportIndex(built, output, namesOf(output.names));
      }
      return exportArchive(session, state, output);
    case "tar":
      await withRoot(session, state.layers, ({ path }) => output.write(exportTree(path)), { readOnly: true });
      return {};
    case "local":
      for (const one of built) await exportLocal(one.session, one.state, output);
      return {};
    case "none":
      return {};
  }
}

/** @throws Unsupported for what a form cannot hold */
function refuseForm(built: readonly BuiltImage[], output: Output): void {
  const { kind } = output;
  const { attestations = {}, indexAnnotations = {} } = built[0]?.session.request ?? {};
  const { provenance, sbom } = attestations;
  const isImage = kind === "image" || kind === "oci" || kind === "docker";
  if (isImage && Object.keys(indexAnnotations).length > 0 && !isIndexOutput(built, output)) {
    throw new Unsupported("index annotations not supported for single platform export", {
      remedy: "leave index: out, or build for several platforms",
    });
  }
  if (sbom === true && kind !== "image" && kind !== "oci" && kind !== "none") {
    throw new Unsupported(`an output of type ${kind} has no bill of materials`, { remedy: "leave --sbom out" });
  }
  if (built.length > 1 && (kind === "docker" || kind === "tar")) {
    throw new Unsupported(`an output of type ${kind} cannot hold several platforms`, {
      remedy: "use type=oci, image, registry or local, or build for one platform",
    });
  }
  if (provenance !== undefined && provenance.inlineOnly !== true && (kind === "tar" || kind === "local")) {
    throw new Unsupported(`an output of type ${kind} has no provenance`, { remedy: "leave --provenance out" });
  }
}

async function exportLocal(session: BuildSession, state: StageState, output: OutputOf<"local">): Promise<void> {
  const platform = (session.request.platforms?.length ?? 0) > 1 ? { platform: platformText(session.platform) } : {};
  await withRoot(session, state.layers, ({ path }) => output.write({ path, ...platform }), { readOnly: true });
}

function namesOf(names: readonly string[]): readonly Reference[] {
  return names.flatMap((name) => newImageName(name));
}

async function exportArchive(
  session: BuildSession,
  state: StageState,
  output: OutputOf<"oci" | "docker">,
): Promise<Partial<BuildResult>> {
  const tags = namesOf(output.names);
  const { config, manifest } = await writeImage(session, state);
  const { content } = session.parts.engine.images;
  await output.write(await saveImages({ store: content, images: [{ manifest, tags }] }));
  return described(config.digest, manifest, output.names);
}

async function exportImage(
  session: BuildSession,
  state: StageState,
  output: OutputOf<"image">,
): Promise<Partial<BuildResult>> {
  const { engine } = session.parts;
  const tags = namesOf(output.names);
  const id = await storeImage(session, state, tags);
  const record = engine.images.store.list().find((image) => image.id === id);
  if (output.push === true) for (const tag of tags) await push(session, tag);
  const pushed = engine.images.store.list().find((image) => image.id === id) ?? record;
  return described(id, pushed?.manifest, output.names);
}

function described(
  id: string,
  manifest: Descriptor | undefined,
  names: readonly string[],
): Partial<BuildResult> & { readonly metadata: BuildResult["metadata"] } {
  return {
    imageId: id,
    ...(manifest === undefined ? {} : { descriptor: manifest }),
    metadata: {
      "containerimage.config.digest": id,
      ...(manifest === undefined
        ? {}
        : {
            "containerimage.digest": manifest.digest,
            "containerimage.descriptor": {
              mediaType: manifest.mediaType,
              digest: manifest.digest,
              size: manifest.size,
            },
          }),
      ...(names.length === 0 ? {} : { "image.name": names.join(",") }),
    },
  };
}

/** Records the image; a stage to which nothing was done is its base image under further names. */
async function storeImage(session: BuildSession, state: StageState, tags: readonly Reference[]): Promise<string> {
  const { engine } = session.parts;
  const { annotations = {}, compression = "none", forceCompression = false, mediaTypes = "oci" } = session.request;
  if (state.image !== undefined && state.image !== "") {
    for (const tag of tags) {
      await engine.images.store.tag(state.image as Digest, tag);
      engine.events.publish("image", "tag", state.image, { name: familiarReference(tag) });
    }
    return state.image;
  }
  const { layers } = state;
  const { lease, signal } = session;
  const isPlain = compression === "none" && !forceCompression && mediaTypes === "oci";
  if (Object.keys(annotations).length === 0 && isPlain) {
    const config = imageDocument(state, inlineFields(session, state));
    return makeImage(engine, { config, layers, tags, lease, signal });
  }
  const { manifest } = await writeImage(session, state);
  await unpackStored({
    store: engine.images.content,
    layers,
    unpackLayer: (layer) => unpackInto(engine, layer),
    isUnpacked: (chainId) => engine.snapshotter.has(chainId),
    isKnown: () => true,
    signal,
  });
  const size = engine.images.filesSize(layers.map(({ diffId }) => diffId));
  const { id } = await engine.images.store.add({ manifest, size, tags });
  for (const tag of tags) engine.events.publish("image", "tag", id, { name: familiarReference(tag) });
  return id;
}

async function push(session: BuildSession, tag: Reference): Promise<void> {
  const { engine } = session.parts;
  const credentials = await session.request.credentials?.(tag.domain);
  await pushImage(engine, familiarReference(tag), {
    onEvent: () => {},
    signal: session.signal,
    ...(credentials === undefined ? {} : { credentials }),
  });
}
