import { Conflict, NotFound } from "@boxship/base";
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
  const matching = reference === "" ? [] : all.filter(({ record }) => record.id.startsWith(reference));
  const [network, other] = matching;
  if (network === undefined) throw new NotFound(`network ${reference} not found`, { subject });
  if (other === undefined) return network;
  throw new Conflict(`network ${reference} is ambiguous: ${matching.length} ids begin so`, { subject });
}
