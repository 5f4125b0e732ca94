import { Conflict, FailedPrecondition, InvalidArgument, systemClock, Unsupported } from "@boxship/base";
import { persist } from "@boxship/client";
import { connectCri } from "@boxship/cri";
import { callEngine } from "./call-engine.ts";
import type { ClusterNetwork, PodPlugins } from "./cluster-network.ts";
import { choosePodNetwork } from "./pod-network-service.ts";

const REFUSALS = [Conflict, FailedPrecondition, InvalidArgument, Unsupported];
const FIRST_WAIT_MS = 20;
const MOST_WAIT_MS = 1000;

/**
 * Sees to it that pods get addresses as a cluster wants them. @returns the networks that they are of; undefined where nobody tells:
 * every client counts as a pod then
 *
 * @throws FailedPrecondition where there are pods with others, Unsupported for another engine's plugins
 */
export async function preparePodNetworks(
  socket: string,
  { pods, plugins }: Pick<ClusterNetwork, "pods" | "plugins">,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  await using cri = connectCri(socket);
  const ask = async (): Promise<readonly string[] | undefined> => {
    await choose(socket, plugins);
    if (pods !== undefined) {
      await cri.updateRuntimeConfig({ runtimeConfig: { networkConfig: { podCidr: pods.join(",") } } });
    }
    const { info } = await cri.status({ verbose: true });
    const told = info["podNetworks"];
    return told === undefined ? pods : (JSON.parse(told) as string[]);
  };
  return await persist(ask, {
    clock: systemClock,
    signal,
    base: FIRST_WAIT_MS,
    most: MOST_WAIT_MS,
    // Engine and cluster are often started together: it may not answer yet.
    failed: (error) => {
      if (REFUSALS.some((refusal) => error instanceof refusal)) throw error;
    },
  });
}

async function choose(socket: string, plugins: PodPlugins | undefined): Promise<void> {
  const request = plugins === undefined ? {} : { directory: plugins.directory, programs: plugins.programs ?? [] };
  try {
    await callEngine(socket, (client) => client.unary(choosePodNetwork, request));
  } catch (error) {
    if (!(error instanceof Unsupported)) throw error;
    if (plugins === undefined) return;
    throw new Unsupported("the engine at this socket has CNI plugins of its own", {
      cause: error,
      remedy: "leave --cni-conf-dir out, and configure the plugins with that engine",
    });
  }
}
