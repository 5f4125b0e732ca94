import { Conflict, FailedPrecondition, NotFound } from "@boxship/base";
import type { LiveNetwork, ManagerContext } from "../live.ts";

/**
 * The network by name, id or the beginning of an id, tried in this order. Throws {@link NotFound}, or {@link Conflict}
 * when several ids begin so.
 */
export function findNetwork(context: ManagerContext, reference: string): LiveNetwork {
  const all = [...context.networks.values()];
  const exact = all.find(({ record }) => record.name === reference) ?? context.networks.get(reference);
  if (exact !== undefined) return exact;
  const subject = { kind: "network", name: reference };
  explainMissingBridge(context, reference);
  const matching = reference === "" ? [] : all.filter(({ record }) => record.id.startsWith(reference));
  const [network, other] = matching;
  if (network === undefined) throw new NotFound(`network ${reference} not found`, { subject });
  if (other === undefined) return network;
  throw new Conflict(`network ${reference} is ambiguous: ${matching.length} ids begin so`, { subject });
}

/** Throws for a reference to the default bridge that could not be made. */
function explainMissingBridge({ bridgeProblem }: ManagerContext, reference: string): void {
  if (reference !== "bridge" || bridgeProblem === undefined) return;
  throw new FailedPrecondition(`network bridge could not be made: ${bridgeProblem.message}`, {
    cause: bridgeProblem,
    subject: { kind: "network", name: "bridge" },
    ...(bridgeProblem.remedy === undefined ? {} : { remedy: bridgeProblem.remedy }),
  });
}
