import { deleteFlows, legacyForwardDrops, type NftCommand } from "@boxship/kernel";
import type { ServiceFront, ServiceTableSettings } from "../services/service-fronts.ts";
import { forgetClients, type LostPlaces, replaceServices } from "../services/service-ruleset.ts";
import type { WorkerContext } from "./context.ts";

/** Changes nftables of the host, all of it or nothing. */
export function runNft(context: WorkerContext, commands: readonly NftCommand[]): void {
  context.nftables.run(commands);
}

/** What the table of services is made anew from: the commands of thousands of them are made in the thread. */
export interface ServiceTableContent {
  readonly settings: ServiceTableSettings;
  readonly fronts: readonly ServiceFront[];
}

export function replaceServiceTable(context: WorkerContext, { settings, fronts }: ServiceTableContent): void {
  context.nftables.run(replaceServices(settings, fronts));
}

/** Makes clients who would come back to places that are gone choose again. */
export function forgetServiceClients(
  { nftables }: WorkerContext,
  { name, lost }: { readonly name: string; readonly lost: readonly LostPlaces[] },
): void {
  nftables.run(forgetClients(name, lost, (table, set) => nftables.listElements(table, set)));
}

/** A base chain of somebody else that drops forwarded packets by default. */
export interface DroppingChain {
  readonly family: string;
  readonly table: string;
  readonly chain: string;
}

/** Base chains at the forward hook whose policy is to drop, in whichever table, iptables' ones of both kinds included. */
export function listForwardDrops(context: WorkerContext): DroppingChain[] {
  const legacy = (["ipv4", "ipv6"] as const).flatMap((family) => {
    return legacyForwardDrops(family) ? [{ family: `legacy ${family}`, table: "filter", chain: "FORWARD" }] : [];
  });
  return [...listNftablesDrops(context), ...legacy];
}

function listNftablesDrops(context: WorkerContext): DroppingChain[] {
  return context.nftables.listBaseChains().flatMap(({ family, table, chain, hook, policy }) => {
    return hook === "forward" && policy === "drop" ? [{ family, table, chain }] : [];
  });
}

const PROTOCOL_NUMBER = { tcp: 6, udp: 17, sctp: 132 } as const;

/** Flows that may still go by a translation which is gone or new. */
export interface StaleFlows {
  /** Of these containers, either way. */
  readonly addresses: readonly string[];
  /** To these ports of the host; an empty address is any. */
  readonly ports: readonly {
    readonly protocol: "tcp" | "udp" | "sctp";
    readonly hostIP: string;
    readonly hostPort: number;
  }[];
}

/** Makes the kernel look at the maps again for flows that go on without a new connection (UDP). */
export function forgetFlows(context: WorkerContext, stale: StaleFlows): void {
  const addresses = new Set(stale.addresses);
  deleteFlows(context.conntrack, ({ original, reply }) => {
    if (original.protocol !== PROTOCOL_NUMBER.udp) return false;
    if (addresses.has(original.source) || addresses.has(reply.source)) return true;
    return stale.ports.some(({ protocol, hostIP, hostPort }) => {
      if (PROTOCOL_NUMBER[protocol] !== original.protocol || hostPort !== original.destinationPort) return false;
      return hostIP === "" || hostIP === original.destination;
    });
  });
}
