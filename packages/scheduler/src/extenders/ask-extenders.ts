import { errorMessage, type Logger } from "@boxship/base";
import type { NodeInfo } from "../cluster/node-info.ts";
import { type Rejection, reject, rejectFinally } from "../plugin.ts";
import type { PodInfo } from "../pod/pod-info.ts";
import type { Preemption } from "../preemption/preempt.ts";
import type { Extender } from "./extender.ts";

export interface Narrowed {
  readonly nodes: readonly NodeInfo[];
  /** Why not the others, by node. */
  readonly rejections: ReadonlyMap<string, Rejection>;
}

/** Asks one after the other, each about what the others left. @throws what one that is not ignorable fails with */
export async function filterByExtenders(
  extenders: readonly Extender[],
  pod: PodInfo,
  feasible: readonly NodeInfo[],
  logger: Logger,
): Promise<Narrowed> {
  let nodes = feasible;
  const rejections = new Map<string, Rejection>();
  for (const extender of extenders) {
    if (extender.filter === undefined || nodes.length === 0) continue;
    const found = await unlessIgnored(extender, logger, extender.filter(pod, nodes));
    if (found === undefined) continue;
    for (const { name } of nodes) {
      const finally_ = found.unresolvable.get(name);
      const failed = found.failed.get(name);
      if (finally_ !== undefined) rejections.set(name, rejectFinally(finally_));
      else if (failed !== undefined) rejections.set(name, reject(failed));
      else if (!found.names.has(name)) rejections.set(name, reject(`extender ${extender.name} did not choose it`));
    }
    nodes = nodes.filter(({ name }) => found.names.has(name) && !rejections.has(name));
  }
  return { nodes, rejections };
}

/** What they add to the nodes' scores. One that does not answer adds nothing. */
export async function scoreByExtenders(
  extenders: readonly Extender[],
  pod: PodInfo,
  nodes: readonly NodeInfo[],
  logger: Logger,
): Promise<Float64Array> {
  const totals = new Float64Array(nodes.length);
  const given = await Promise.all(
    extenders.map(async (extender) => {
      try {
        return await extender.prioritize?.(pod, nodes);
      } catch (error) {
        logger.warn("an extender gives no scores", { extender: extender.name, error: errorMessage(error) });
        return undefined;
      }
    }),
  );
  for (const scores of given) {
    for (const [index, { name }] of nodes.entries()) totals[index] = (totals[index] ?? 0) + (scores?.get(name) ?? 0);
  }
  return totals;
}

/** Of places that could be made, those to which the extenders agree. */
export async function agreeOnPreemption(
  extenders: readonly Extender[],
  pod: PodInfo,
  candidates: readonly Preemption[],
  logger: Logger,
): Promise<readonly Preemption[]> {
  let left = candidates;
  for (const extender of extenders) {
    if (extender.preempt === undefined || left.length === 0) continue;
    const shown = left.map(({ node, victims, violations }) => ({ node: node.name, pods: victims, violations }));
    const agreed = await unlessIgnored(extender, logger, extender.preempt(pod, shown));
    if (agreed === undefined) continue;
    left = left.flatMap((one) => {
      const uids = agreed.get(one.node.name);
      if (uids === undefined) return [];
      const victims = [...one.node.pods.values()].filter(({ uid }) => uids.includes(uid));
      return victims.length === 0 ? [] : [{ ...one, victims }];
    });
  }
  return left;
}

/** Has the first one bind that does. @returns false where none did, and the scheduler has to */
export async function bindByExtenders(
  extenders: readonly Extender[],
  { pod }: PodInfo,
  nodeName: string,
  logger: Logger,
): Promise<boolean> {
  for (const extender of extenders) {
    if (extender.bind === undefined) continue;
    const bound = extender.bind(pod, nodeName).then(() => true);
    if ((await unlessIgnored(extender, logger, bound)) === true) return true;
  }
  return false;
}

async function unlessIgnored<T>(extender: Extender, logger: Logger, answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (!extender.isIgnorable) throw error;
    logger.warn("an extender is ignored", { extender: extender.name, error: errorMessage(error) });
    return undefined;
  }
}
