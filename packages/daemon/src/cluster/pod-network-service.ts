import { type EngineContext, ensurePodNetwork } from "@boxship/engine";
import { Empty, field, type Handler, message, method, unary, type ValueOf } from "@boxship/grpc";

/** What a cluster chooses of the network of its pods beside the CRI, which has no words for it, at the same socket. */

export type ChoosePodNetworkRequest = ValueOf<typeof ChoosePodNetworkRequest>;
const ChoosePodNetworkRequest = message("ChoosePodNetworkRequest", {
  /** Of CNI configurations; the engine's own network when it is empty. */
  directory: field.string(1),
  /** Where plugins are. @default those of the engine's configuration */
  programs: field.strings(2),
});

export const choosePodNetwork = method("boxship.pods.v1.PodNetwork", "Choose", ChoosePodNetworkRequest, Empty);

export function podNetworkHandlers(engine: EngineContext): readonly Handler[] {
  return [
    unary(choosePodNetwork, async ({ directory, programs }) => {
      const own = programs.length === 0 ? {} : { programs };
      await ensurePodNetwork(engine, directory === "" ? { by: "engine" } : { by: "plugins", directory, ...own });
      return {};
    }),
  ];
}
