import { Conflict, FailedPrecondition, InvalidArgument, systemClock, Unsupported } from "@boxship/base";
import { persist } from "@boxship/client";
import { connectCri } from "@boxship/cri";

const REFUSALS = [Conflict, FailedPrecondition, InvalidArgument, Unsupported];
const FIRST_WAIT_MS = 20;
const MOST_WAIT_MS = 1000;

/**
 * Sees to it that pods get addresses of these networks. @returns the networks of the engine's pods; undefined for an engine
 * that does not tell: every client counts as a pod then
 *
 * @param networks @default the engine's choice
 * @throws FailedPrecondition where there are pods with others
 */
export async function preparePodNetworks(
  socket: string,
  networks: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  await using cri = connectCri(socket);
  const ask = async (): Promise<readonly string[] | undefined> => {
    if (networks !== undefined) {
      await cri.updateRuntimeConfig({ runtimeConfig: { networkConfig: { podCidr: networks.join(",") } } });
    }
    const { info } = await cri.status({ verbose: true });
    const told = info["podNetworks"];
    return told === undefined ? undefined : (JSON.parse(told) as string[]);
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
