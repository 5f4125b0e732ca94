import { Unsupported } from "@boxship/base";
import { makeImage, newImageName } from "@boxship/engine";
import { type Digest, familiarReference, type Reference } from "@boxship/oci";
import type { BuildResult, Output } from "../contract.ts";
import { keyOf } from "../solver/keys.ts";
import type { BuildSession } from "../solver/session.ts";
import { imageDocument, type StageState } from "../solver/state.ts";

/** Does what the request asks with the finished stage, and makes all of it durable. */
export async function exportResult(session: BuildSession, state: StageState): Promise<BuildResult> {
  await session.settle();
  const outputs = session.request.outputs ?? [{ kind: "image", names: [] }];
  let result: BuildResult = { metadata: {}, warnings: session.warnings };
  for (const output of outputs) result = { ...result, ...(await exportOne(session, state, output)) };
  return { ...result, warnings: session.warnings };
}

async function exportOne(session: BuildSession, state: StageState, output: Output): Promise<Partial<BuildResult>> {
  switch (output.kind) {
    case "image":
      return exportImage(session, state, output);
    case "none":
      return {};
    default:
      throw new Unsupported(`the output ${output.kind} is not supported`, { remedy: "use an image" });
  }
}

async function exportImage(
  session: BuildSession,
  state: StageState,
  output: Extract<Output, { readonly kind: "image" }>,
): Promise<Partial<BuildResult>> {
  const { engine } = session.parts;
  const vertex = `sha256:${keyOf("export", "image")}`;
  session.announce({ digest: vertex, inputs: [], name: "exporting to image" });
  session.emit({ kind: "started", vertex, time: session.now() });
  const tags = output.names.flatMap((name) => newImageName(name));
  const id = await storeImage(session, state, tags);
  session.emit({ kind: "completed", vertex, time: session.now(), cached: false });
  const record = engine.images.store.list().find((image) => image.id === id);
  return {
    imageId: id,
    ...(record === undefined ? {} : { descriptor: record.manifest }),
    metadata: {
      "containerimage.config.digest": id,
      ...(record === undefined ? {} : { "containerimage.digest": record.manifest.digest }),
      ...(output.names.length === 0 ? {} : { "image.name": output.names.join(",") }),
    },
  };
}

/** Records the image; a stage to which nothing was done is its base image under further names. */
async function storeImage(session: BuildSession, state: StageState, tags: readonly Reference[]): Promise<string> {
  const { engine } = session.parts;
  if (state.image !== undefined && Object.keys(session.request.labels ?? {}).length === 0) {
    for (const tag of tags) {
      await engine.images.store.tag(state.image as Digest, tag);
      engine.events.publish("image", "tag", state.image, { name: familiarReference(tag) });
    }
    return state.image;
  }
  const document = imageDocument(state);
  return makeImage(engine, {
    config: document,
    layers: state.layers,
    tags,
    lease: session.lease,
    signal: session.signal,
  });
}
