import {
  addressBytes,
  encodeFields,
  NftAddressType,
  type NftBase,
  NftBit,
  type NftCommand,
  type NftElementOf,
  NftFamily,
  type NftSet,
  type NftStatement,
  type NftTable,
  type NftVerdict,
} from "@boxship/kernel";
import type { PortProtocol } from "../contract.ts";
import { formatAddress, lastAddress, parsePrefix } from "../ip/prefix.ts";

/**
 * The nftables table of an instance, `table inet <name>-net`.
 *
 * Rules are fixed; what comes and goes with networks and containers are elements of sets and maps, so that a packet costs
 * the same with one container or a thousand, and publishing a port is adding one element.
 *
 *     set bridges     { ifname }              every bridge of ours
 *     set guests      { ifname }              links that CNI plugins made
 *     set internal    { ifname }              bridges of internal networks
 *     set intra       { ifname . ifname }     bridge twice: its members may talk to each other
 *     set own4/own6   { ifname . subnet }     a bridge and the addresses behind it
 *     set nat4/nat6   { subnet }              sources that are masqueraded on their way out
 *     map any4/any6   { protocol . port : address . port }             published on all addresses of the host
 *     map host4/host6 { protocol . address . port : address . port }   published on one address
 *
 * A packet meets, in this order:
 *
 * - `raw` (prerouting, before connection tracking): from a bridge to 127.0.0.0/8 is dropped. Bridges and guests have
 *   `route_localnet` so that 127.0.0.1 of the host reaches published ports; without this rule containers would in turn
 *   reach services of the host that listen on localhost. What comes from the bridge of a network that is not internal gets
 *   a bit of its mark: a cluster's services (`services/`) answer it.
 * - `publish` (destination NAT, prerouting and output): what is addressed to the host itself and found in a map goes to
 *   the container. The source stays, so the container sees its client. ::1 is left out, as the kernel never lets it
 *   leave loopback: the proxies of `ports/` serve it.
 * - `input`: from an internal network only to the bridge's own addresses.
 * - `forward`: replies pass; internal networks pass nothing in or out; published connections pass from anywhere else;
 *   members of a network pass to each other unless that is switched off; between networks, and from outside to what is
 *   not published, nothing passes. Accepting here cannot override a drop in somebody else's table: `host-policy.ts`
 *   finds those.
 * - `outgoing` (source NAT, postrouting): connections from localhost, and from a member of the network to a published
 *   port of its own network, get the bridge's address, or the answer would not come back this way; what leaves a network
 *   gets the address of the outgoing interface.
 *
 * Traffic within a bridge is switched, not routed, and usually sees none of this; members that may not talk to each
 * other are isolated ports of the bridge.
 */

/** The bit of a packet's mark that says that it comes from a container which may reach what is outside of its network. */
export const FROM_CONTAINER = 0x1000;

const SETS = {
  bridges: { name: "bridges", key: ["ifname"] },
  guests: { name: "guests", key: ["ifname"] },
  internal: { name: "internal", key: ["ifname"] },
  intra: { name: "intra", key: ["ifname", "ifname"] },
  own4: { name: "own4", key: ["ifname", "ipv4_addr"], interval: true },
  own6: { name: "own6", key: ["ifname", "ipv6_addr"], interval: true },
  nat4: { name: "nat4", key: ["ipv4_addr"], interval: true },
  nat6: { name: "nat6", key: ["ipv6_addr"], interval: true },
  any4: { name: "any4", key: ["inet_proto", "inet_service"], data: ["ipv4_addr", "inet_service"] },
  any6: { name: "any6", key: ["inet_proto", "inet_service"], data: ["ipv6_addr", "inet_service"] },
  host4: { name: "host4", key: ["inet_proto", "ipv4_addr", "inet_service"], data: ["ipv4_addr", "inet_service"] },
  host6: { name: "host6", key: ["inet_proto", "ipv6_addr", "inet_service"], data: ["ipv6_addr", "inet_service"] },
} as const satisfies Record<string, NftSet>;

export interface FirewallNetwork {
  readonly bridge: string;
  /** The link is not ours: ports are published to it, and nothing else is decided about it. @default false */
  readonly guest?: boolean;
  readonly internal: boolean;
  readonly masquerade: boolean;
  /** Members may talk to each other. */
  readonly interContainer: boolean;
  /** `address/length` */
  readonly subnets4: readonly string[];
  readonly subnets6: readonly string[];
}

/** A port of the host that leads to a container. */
export interface FirewallPort {
  readonly protocol: PortProtocol;
  /** `0.0.0.0` or `::` for every address of the host. */
  readonly hostIP: string;
  readonly hostPort: number;
  /** Of the same family as {@link hostIP}. */
  readonly address: string;
  readonly port: number;
}

/** The name of an instance's table. */
export function tableName(instance: string): string {
  // Never an instance's bare name: some words are keywords of nft's language.
  return `${instance}-net`;
}

/** Commands that replace the whole table, in one transaction. */
export function fullRuleset(
  name: string,
  networks: readonly FirewallNetwork[],
  ports: readonly FirewallPort[],
): NftCommand[] {
  return [
    ...removeRuleset(name),
    ...skeleton(tableOf(name)),
    ...networks.flatMap((network) => addNetwork(name, network)),
    ...ports.map((port) => addPort(name, port)),
  ];
}

/** Commands that remove the table if it is there. */
export function removeRuleset(name: string): NftCommand[] {
  const table = tableOf(name);
  // Adding leaves a table as it is, and there is none that cannot be deleted afterwards.
  return [
    { verb: "add-table", table },
    { verb: "delete-table", table },
  ];
}

function tableOf(name: string): NftTable {
  return { family: "inet", name };
}

const accept = verdict("accept");
const drop = verdict("drop");
const back = verdict("return");
const masquerade: NftStatement = { kind: "masquerade" };
const ipv4: NftStatement = { kind: "equals", selector: "meta nfproto", value: NftFamily.ipv4 };
const ipv6: NftStatement = { kind: "equals", selector: "meta nfproto", value: NftFamily.ipv6 };
const established: NftStatement = {
  kind: "any-bit",
  selector: "ct state",
  bits: NftBit.established | NftBit.related,
};
const translated: NftStatement = { kind: "any-bit", selector: "ct status", bits: NftBit.destinationTranslated };
const fromInternal = member("iifname", SETS.internal);
const toBridge = member("oifname", SETS.bridges);
const toLoopback: NftStatement = { kind: "equals", selector: "ip daddr/8", value: Buffer.of(127) };
const fromLoopback: NftStatement = { kind: "equals", selector: "ip saddr/8", value: Buffer.of(127) };

function member(selector: "iifname" | "oifname", set: NftSet): NftStatement {
  return { kind: "member", selectors: [selector], set: set.name };
}

function verdict(name: NftVerdict): NftStatement {
  return { kind: "verdict", verdict: name };
}

/** The chains of the table, in the order in which a packet meets them; what each is for stands at the top of the file. */
function skeleton(table: NftTable): NftCommand[] {
  const chain = (
    name: string,
    base: NftBase | undefined,
    rules: readonly (readonly NftStatement[])[],
  ): NftCommand[] => [
    { verb: "add-chain", table, chain: name, ...(base === undefined ? {} : { base }) },
    ...rules.map((statements): NftCommand => ({ verb: "add-rule", table, chain: name, statements })),
  ];
  return [
    { verb: "add-table", table },
    ...Object.values(SETS).map((set): NftCommand => ({ verb: "add-set", table, set })),
    ...chain("raw", { type: "filter", hook: "prerouting", priority: -300 }, [
      // Every packet passes here, and hardly any is for 127.0.0.0/8: that is asked before sets are searched.
      [ipv4, toLoopback, member("iifname", SETS.bridges), drop],
      [ipv4, toLoopback, member("iifname", SETS.guests), drop],
      [fromInternal, back],
      [member("iifname", SETS.bridges), { kind: "add-mark", bits: FROM_CONTAINER }],
    ]),
    ...chain("publish", undefined, publishRules()),
    ...chain("prerouting", { type: "nat", hook: "prerouting", priority: -100 }, [toPublished()]),
    ...chain("output", { type: "nat", hook: "output", priority: -100 }, [toPublished()]),
    ...chain("input", { type: "filter", hook: "input", priority: 0 }, inputRules()),
    ...chain("forward", { type: "filter", hook: "forward", priority: 0 }, [
      [established, accept],
      [{ kind: "member", selectors: ["iifname", "oifname"], set: SETS.intra.name }, accept],
      [fromInternal, drop],
      [member("oifname", SETS.internal), drop],
      [toBridge, translated, accept],
      [toBridge, drop],
    ]),
    ...chain("outgoing", { type: "nat", hook: "postrouting", priority: 100 }, outgoingRules()),
  ];
}

function publishRules(): NftStatement[][] {
  return [
    [ipv4, { kind: "translate", family: "ip", selectors: ["meta l4proto", "ip daddr", "th dport"], map: "host4" }],
    [ipv4, { kind: "translate", family: "ip", selectors: ["meta l4proto", "th dport"], map: "any4" }],
    [ipv6, { kind: "equals", selector: "ip6 daddr", value: addressBytes("::1") }, back],
    [ipv6, { kind: "translate", family: "ip6", selectors: ["meta l4proto", "ip6 daddr", "th dport"], map: "host6" }],
    [ipv6, { kind: "translate", family: "ip6", selectors: ["meta l4proto", "th dport"], map: "any6" }],
  ];
}

/** Only what is for the host itself; protocols without ports are in no map. */
function toPublished(): NftStatement[] {
  return [
    { kind: "equals", selector: "fib daddr type", value: NftAddressType.local },
    { kind: "jump", chain: "publish" },
  ];
}

function inputRules(): NftStatement[][] {
  const own = [NftAddressType.local, NftAddressType.broadcast, NftAddressType.multicast];
  return [
    [fromInternal, established, accept],
    ...own.map((value): NftStatement[] => [
      fromInternal,
      { kind: "equals", selector: "fib daddr . iif type", value },
      accept,
    ]),
    [fromInternal, drop],
  ];
}

function outgoingRules(): NftStatement[][] {
  const own4: NftStatement = { kind: "member", selectors: ["oifname", "ip saddr"], set: SETS.own4.name };
  const own6: NftStatement = { kind: "member", selectors: ["oifname", "ip6 saddr"], set: SETS.own6.name };
  return [
    [toBridge, ipv4, fromLoopback, masquerade],
    [member("oifname", SETS.guests), ipv4, fromLoopback, masquerade],
    [translated, ipv4, own4, masquerade],
    [translated, ipv6, own6, masquerade],
    [ipv4, own4, back],
    [ipv6, own6, back],
    [ipv4, { kind: "member", selectors: ["ip saddr"], set: SETS.nat4.name }, masquerade],
    [ipv6, { kind: "member", selectors: ["ip6 saddr"], set: SETS.nat6.name }, masquerade],
  ];
}

type Element = Omit<NftElementOf, "table">;

/** The set elements of a network. */
function networkElements(network: FirewallNetwork): Element[] {
  const { bridge } = network;
  const plain = (set: NftSet, ...values: string[]): Element => ({
    set,
    element: { key: encodeFields(set.key, values) },
  });
  const outside = network.masquerade && !network.internal;
  return [
    plain(network.guest === true ? SETS.guests : SETS.bridges, bridge),
    ...(network.internal ? [plain(SETS.internal, bridge)] : []),
    ...(network.interContainer ? [plain(SETS.intra, bridge, bridge)] : []),
    ...[...network.subnets4, ...network.subnets6].flatMap((subnet) => {
      const six = subnet.includes(":");
      const own = prefixElement(six ? SETS.own6 : SETS.own4, [bridge], subnet);
      return outside ? [own, prefixElement(six ? SETS.nat6 : SETS.nat4, [], subnet)] : [own];
    }),
  ];
}

/** The element that stands for `before` and any address of the subnet. */
function prefixElement(set: NftSet, before: readonly string[], subnet: string): Element {
  const prefix = parsePrefix(subnet);
  const key = encodeFields(set.key, [...before, formatAddress(prefix)]);
  return { set, element: { key, end: encodeFields(set.key, [...before, formatAddress(lastAddress(prefix))]) } };
}

export function addNetwork(name: string, network: FirewallNetwork): NftCommand[] {
  return networkElements(network).map((element) => ({ verb: "add-element", table: tableOf(name), ...element }));
}

export function removeNetwork(name: string, network: FirewallNetwork): NftCommand[] {
  return networkElements(network).map((element) => ({ verb: "delete-element", table: tableOf(name), ...element }));
}

export function addPort(name: string, port: FirewallPort): NftCommand {
  const { set, key } = portKey(port);
  const data = encodeFields(set.data, [port.address, port.port]);
  return { verb: "add-element", table: tableOf(name), set, element: { key, data } };
}

export function removePort(name: string, port: FirewallPort): NftCommand {
  const { set, key } = portKey(port);
  return { verb: "delete-element", table: tableOf(name), set, element: { key } };
}

const PROTOCOL_NUMBER: Readonly<Record<PortProtocol, number>> = { tcp: 6, udp: 17, sctp: 132 };

function portKey({ protocol, hostIP, hostPort }: FirewallPort) {
  const number = PROTOCOL_NUMBER[protocol];
  const six = hostIP.includes(":");
  if (hostIP === "0.0.0.0" || hostIP === "::") {
    const set = six ? SETS.any6 : SETS.any4;
    return { set, key: encodeFields(set.key, [number, hostPort]) };
  }
  const set = six ? SETS.host6 : SETS.host4;
  return { set, key: encodeFields(set.key, [number, hostIP, hostPort]) };
}
