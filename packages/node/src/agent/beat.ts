import type { JsonObject, KubeObject } from "@boxship/api";
import { type Clock, type Logger, sleep } from "@boxship/base";
import type { ApiClient } from "@boxship/client";
import type { EngineHealth } from "./engine-health.ts";
import { isNodeLost, renewLease } from "./register-node.ts";

const BEAT_MS = 10_000;
/** An unchanged node is told of so often; what has changed, at once. */
const STATUS_EVERY_MS = 300_000;

export interface BeatOptions {
  readonly client: ApiClient;
  readonly engine: Pick<EngineHealth, "look">;
  /** As the node's status has them, the same list as long as it has not changed. */
  readonly images: () => Promise<readonly JsonObject[] | undefined>;
  /** Writes the node's status. */
  readonly tell: () => Promise<unknown>;
  /** The engine is well, and has been told to be. */
  readonly well: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Says that a node is there and how it is, until the signal. That it is there is said whatever the engine does: a node whose
 * engine stands still is not ready, but one that is silent is given up, and services lose its pods.
 */
export async function beat(node: KubeObject, options: BeatOptions, signal: AbortSignal): Promise<void> {
  await Promise.all([renew(node, options, signal), watchStatus(node, options, signal)]);
}

async function renew(node: KubeObject, { client, clock, logger }: BeatOptions, signal: AbortSignal): Promise<void> {
  while (await pause(clock, signal)) {
    try {
      await renewLease(client, clock, node);
    } catch (error) {
      if (!signal.aborted) logger.warn("the node cannot say that it is there", { error });
    }
  }
}

/** The status when it is due, the engine comes or goes, has other images, or others have given the node up. */
async function watchStatus(node: KubeObject, options: BeatOptions, signal: AbortSignal): Promise<void> {
  const { client, engine, images, tell, well, clock, logger } = options;
  let told = clock.monotonic();
  const first = await engine.look();
  let known = first.problem;
  // Who stands still would not answer this either, which has no limit of its own.
  let shown = first.version === undefined ? undefined : await images();
  while (await pause(clock, signal)) {
    try {
      const { problem, version } = await engine.look();
      const now = version === undefined ? shown : await images();
      const isSame = problem === known && now === shown && clock.monotonic() - told < STATUS_EVERY_MS;
      // A machine that stood still is back, and nobody but the node itself can say so.
      if (isSame && !(await isNodeLost(client, node))) continue;
      await tell();
      if (problem === undefined) well();
      known = problem;
      shown = now;
      told = clock.monotonic();
    } catch (error) {
      if (!signal.aborted) logger.warn("the node cannot tell how it is", { error });
    }
  }
}

/** @returns whether to go on */
async function pause(clock: Clock, signal: AbortSignal): Promise<boolean> {
  return await sleep(clock, BEAT_MS, signal).then(
    () => true,
    () => false,
  );
}
