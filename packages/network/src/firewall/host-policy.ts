import { linkPrefix } from "../names.ts";
import type { DroppingChain } from "../worker/firewall-operations.ts";

/**
 * What keeps packets from containers although our own table lets them through. A packet must be accepted in every base
 * chain of a hook, and we do not change chains of others.
 */
export function forwardWarnings(instance: string, drops: readonly DroppingChain[]): string[] {
  const links = `${linkPrefix(instance)}*`;
  return drops.map(({ family, table, chain }) => {
    return (
      `chain ${chain} of the ${family} table ${table} drops forwarded packets by default: containers reach the outside, ` +
      `and their published ports are reached, only if it accepts packets from and to the interfaces ${links}`
    );
  });
}
