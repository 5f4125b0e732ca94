import { createHash } from "node:crypto";
import { InvalidArgument, ResourceExhausted } from "@boxship/base";
import type { AddressPool } from "../contract.ts";
import {
  addressBits,
  type Family,
  formatPrefix,
  overlaps,
  type Prefix,
  parsePrefix,
  prefixSize,
} from "../ip/prefix.ts";

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

/** A range of addresses that is in use, and by what. */
export interface TakenPrefix extends Prefix {
  /** As a user would name it: `network web`, `a route by eth0`. */
  readonly by: string;
}

/**
 * The first subnet of the pools that shares no address with what is taken.
 *
 * @param taken networks of ours, routes and addresses of the host, its name servers
 * @throws {@link ResourceExhausted} which names the pools and what is in them
 */
export function chooseSubnet(pools: readonly AddressPool[], family: Family, taken: readonly TakenPrefix[]): Prefix {
  const own = pools.map((pool) => ({ ...pool, prefix: parsePrefix(pool.base) }));
  const usable = own.filter(({ prefix }) => prefix.family === family);
  for (const { prefix, size } of usable) {
    const found = firstFree(prefix, size, taken);
    if (found !== undefined) return found;
  }
  throw new ResourceExhausted(
    `all predefined IPv${family} address pools have been fully subnetted: ${describePools(usable, taken)}`,
    {
      remedy:
        "remove networks that nobody needs, give the network a subnet, or set addressPools in the configuration " +
        "file, for instance to [{base: 10.200.0.0/14, size: 24}]",
    },
  );
}

const MOST_NAMED = 24;

function describePools(pools: readonly { readonly prefix: Prefix }[], taken: readonly TakenPrefix[]): string {
  if (pools.length === 0) return "none is configured";
  const parts = pools.map(({ prefix }) => {
    const inside = taken.filter((other) => overlaps(other, prefix)).map(({ by }) => by);
    return `${formatPrefix(prefix)} by ${[...new Set(inside)].slice(0, MOST_NAMED).join(", ")}`;
  });
  const rest = parts.length - MOST_NAMED;
  return parts.slice(0, MOST_NAMED).join("; ") + (rest > 0 ? `; and ${rest} more` : "");
}

/** Throws {@link InvalidArgument} for pools from which no subnet can be cut. */
export function checkPools(pools: readonly AddressPool[]): readonly AddressPool[] {
  for (const { base, size } of pools) {
    const prefix = parsePrefix(base);
    const largest = addressBits(prefix.family) - 2;
    if (Number.isInteger(size) && size >= prefix.length && size <= largest) continue;
    throw new InvalidArgument(`no subnets of size /${size} can be cut from the address pool ${base}`, {
      subject: { kind: "address pool", name: base },
      remedy: `give a size from ${prefix.length} to ${largest}`,
    });
  }
  return pools;
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
