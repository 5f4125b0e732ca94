import { createHash } from "node:crypto";
import { ResourceExhausted } from "@boxship/base";
import type { AddressPool } from "../contract.ts";
import { addressBits, type Family, overlaps, type Prefix, parsePrefix, prefixSize } from "../ip/prefix.ts";

/** Docker's: every /16 from 172.17 to 172.31, then 192.168.0.0/16 in pieces. */
export const DefaultPools: readonly AddressPool[] = [
  ...Array.from({ length: 15 }, (_, index) => ({ base: `172.${index + 17}.0.0/16`, size: 16 })),
  { base: "192.168.0.0/16", size: 20 },
];

/**
 * The IPv6 pool of one instance on one machine: a unique local prefix (RFC 4193) whose 40 bits come from a hash, so that
 * it stays the same and hosts that are joined later rarely share it.
 */
export function uniqueLocalPool(machineId: string, instance: string): AddressPool {
  const digits = createHash("sha256").update(`${machineId}\0${instance}`).digest("hex");
  return { base: `fd${digits.slice(0, 2)}:${digits.slice(2, 6)}:${digits.slice(6, 10)}::/48`, size: 64 };
}

/**
 * The first subnet of the pools that shares no address with what is taken.
 *
 * @param taken networks of ours, routes and addresses of the host, its name servers
 * @throws {@link ResourceExhausted}
 */
export function chooseSubnet(pools: readonly AddressPool[], family: Family, taken: readonly Prefix[]): Prefix {
  for (const pool of pools) {
    const base = parsePrefix(pool.base);
    if (base.family !== family) continue;
    const found = firstFree(base, pool.size, taken);
    if (found !== undefined) return found;
  }
  throw new ResourceExhausted(`all predefined IPv${family} address pools have been fully subnetted`, {
    remedy: "remove networks, give a subnet, or configure more address pools",
  });
}

function firstFree(base: Prefix, size: number, taken: readonly Prefix[]): Prefix | undefined {
  const step = 1n << BigInt(addressBits(base.family) - size);
  const end = base.value + prefixSize(base);
  for (let value = base.value; value < end; ) {
    const candidate: Prefix = { family: base.family, length: size, value };
    const obstacle = taken.find((prefix) => overlaps(prefix, candidate));
    if (obstacle === undefined) return candidate;
    // Past the obstacle in one step: an IPv6 pool has too many subnets to try each.
    const behind = obstacle.value + prefixSize(obstacle);
    value = behind > value + step ? behind : value + step;
  }
  return undefined;
}
