import type { ImageHistory } from "@boxship/oci";
import type { BuildRequest } from "../contract.ts";
import { keyOf } from "./keys.ts";
import type { BuildSession } from "./session.ts";
import { imageIdOf, type StageState } from "./state.ts";
import { finishLayer, newWorkingId, withRoot } from "./working-layer.ts";

/**
 * Makes one layer of those that the stage has added, or of all. History keeps its entries, none of which has a layer of
 * its own any more, and gets one that says so, as Docker words it.
 */
export async function squashLayers(
  session: BuildSession,
  state: StageState,
  which: NonNullable<BuildRequest["squash"]>,
): Promise<StageState> {
  const all = { layers: 0, history: 0, image: undefined };
  const { layers: kept, history, image } = which === "all" ? all : (state.begun ?? all);
  // Nothing was done to the image, or there is nothing to join.
  if (state.image !== undefined || state.layers.length === kept) return state;
  const vertex = `sha256:${keyOf("squash", which)}`;
  session.announce({ digest: vertex, inputs: [], name: "squashing layers" });
  session.emit({ kind: "started", vertex, time: session.now() });
  const below = state.layers.slice(0, kept);
  const made = await makeSquashed(session, state, below);
  session.emit({ kind: "completed", vertex, time: session.now(), cached: false });
  const id = imageIdOf(state);
  const created = session.created();
  const last: ImageHistory = {
    created,
    comment: image === undefined ? `create new from ${id}` : `merge ${id} to ${image}`,
    ...(made === undefined ? { empty_layer: true } : {}),
  };
  return {
    ...state,
    layers: made === undefined ? below : [...below, made],
    created,
    history: [
      ...state.history.map((entry, index) => (index < history ? entry : { ...entry, empty_layer: true })),
      last,
    ],
  };
}

async function makeSquashed(session: BuildSession, state: StageState, below: StageState["layers"]) {
  return withRoot(session, state.layers, async (tree) => joined(session, tree.path, below), { readOnly: true });
}

async function joined(session: BuildSession, tree: string, below: StageState["layers"]) {
  const id = newWorkingId();
  const { snapshotter } = session.parts.engine;
  return withRoot(
    session,
    below,
    async (root) => {
      await snapshotter.writeDifference(id, tree);
      return finishLayer(session, { ...root, filled: true }, below, () => {});
    },
    { id, mounted: false },
  );
}
