import type { PortProtocol } from "../contract.ts";

/**
 * The nftables table of an instance, `table inet <name>-net`.
 *
 * Rules are fixed; what comes and goes with networks and containers are elements of sets and maps, so that a packet costs
 * the same with one container or a thousand, and publishing a port is adding one element.
 *
 *     set bridges     { ifname }              every bridge of ours
 *     set internal    { ifname }              bridges of internal networks
 *     set intra       { ifname . ifname }     bridge twice: its members may talk to each other
 *     set own4/own6   { ifname . subnet }     a bridge and the addresses behind it
 *     set nat4/nat6   { subnet }              sources that are masqueraded on their way out
 *     map any4/any6   { protocol . port : address . port }             published on all addresses of the host
 *     map host4/host6 { protocol . address . port : address . port }   published on one address
 *
 * A packet meets, in this order:
 *
 * - `raw` (prerouting, before connection tracking): from a bridge to 127.0.0.0/8 is dropped. Bridges have
 *   `route_localnet` so that 127.0.0.1 of the host reaches published ports; without this rule containers would in turn
 *   reach services of the host that listen on localhost.
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

export interface FirewallNetwork {
  readonly bridge: string;
  readonly internal: boolean;
  readonly masquerade: boolean;
  /** Members may talk to each other. */
  readonly interContainer: boolean;
  /** `address/length` */
  readonly subnet4?: string;
  readonly subnet6?: string;
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
  table: string,
  networks: readonly FirewallNetwork[],
  ports: readonly FirewallPort[],
): string {
  return [
    `table inet ${table}`,
    `delete table inet ${table}`,
    skeleton(table),
    ...networks.flatMap((network) => addNetwork(table, network)),
    ...ports.map((port) => addPort(table, port)),
  ].join("\n");
}

/** Commands that remove the table if it is there. */
export function removeRuleset(table: string): string {
  return `table inet ${table}\ndelete table inet ${table}`;
}

function skeleton(table: string): string {
  return `table inet ${table} {
  set bridges { type ifname; }
  set internal { type ifname; }
  set intra { type ifname . ifname; }
  set own4 { type ifname . ipv4_addr; flags interval; }
  set own6 { type ifname . ipv6_addr; flags interval; }
  set nat4 { type ipv4_addr; flags interval; }
  set nat6 { type ipv6_addr; flags interval; }
  map any4 { type inet_proto . inet_service : ipv4_addr . inet_service; }
  map any6 { type inet_proto . inet_service : ipv6_addr . inet_service; }
  map host4 { type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service; }
  map host6 { type inet_proto . ipv6_addr . inet_service : ipv6_addr . inet_service; }
  chain raw {
    type filter hook prerouting priority raw; policy accept;
    iifname @bridges ip daddr 127.0.0.0/8 drop
  }
  chain publish {
    meta nfproto ipv4 dnat ip to meta l4proto . ip daddr . th dport map @host4
    meta nfproto ipv4 dnat ip to meta l4proto . th dport map @any4
    ip6 daddr ::1 return
    meta nfproto ipv6 dnat ip6 to meta l4proto . ip6 daddr . th dport map @host6
    meta nfproto ipv6 dnat ip6 to meta l4proto . th dport map @any6
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    meta l4proto { tcp, udp, sctp } fib daddr type local jump publish
  }
  chain output {
    type nat hook output priority -100; policy accept;
    meta l4proto { tcp, udp, sctp } fib daddr type local jump publish
  }
  chain input {
    type filter hook input priority filter; policy accept;
    iifname @internal ct state established,related accept
    iifname @internal fib daddr . iif type != { local, broadcast, multicast } drop
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    ct state established,related accept
    iifname . oifname @intra accept
    iifname @internal drop
    oifname @internal drop
    oifname @bridges ct status dnat accept
    oifname @bridges drop
  }
  chain outgoing {
    type nat hook postrouting priority srcnat; policy accept;
    oifname @bridges ip saddr 127.0.0.0/8 masquerade
    ct status dnat oifname . ip saddr @own4 masquerade
    ct status dnat oifname . ip6 saddr @own6 masquerade
    oifname . ip saddr @own4 return
    oifname . ip6 saddr @own6 return
    ip saddr @nat4 masquerade
    ip6 saddr @nat6 masquerade
  }
}`;
}

/** The set elements of a network. */
function networkElements(network: FirewallNetwork): readonly (readonly [set: string, element: string])[] {
  const bridge = `"${network.bridge}"`;
  const elements: (readonly [string, string])[] = [["bridges", bridge]];
  if (network.internal) elements.push(["internal", bridge]);
  if (network.interContainer) elements.push(["intra", `${bridge} . ${bridge}`]);
  const outside = network.masquerade && !network.internal;
  if (network.subnet4 !== undefined) {
    elements.push(["own4", `${bridge} . ${network.subnet4}`]);
    if (outside) elements.push(["nat4", network.subnet4]);
  }
  if (network.subnet6 !== undefined) {
    elements.push(["own6", `${bridge} . ${network.subnet6}`]);
    if (outside) elements.push(["nat6", network.subnet6]);
  }
  return elements;
}

export function addNetwork(table: string, network: FirewallNetwork): string[] {
  return networkElements(network).map(([set, element]) => `add element inet ${table} ${set} { ${element} }`);
}

export function removeNetwork(table: string, network: FirewallNetwork): string[] {
  return networkElements(network).map(([set, element]) => `delete element inet ${table} ${set} { ${element} }`);
}

export function addPort(table: string, port: FirewallPort): string {
  const [map, key] = portKey(port);
  return `add element inet ${table} ${map} { ${key} : ${port.address} . ${port.port} }`;
}

export function removePort(table: string, port: FirewallPort): string {
  const [map, key] = portKey(port);
  return `delete element inet ${table} ${map} { ${key} }`;
}

function portKey({ protocol, hostIP, hostPort }: FirewallPort): readonly [map: string, key: string] {
  const family = hostIP.includes(":") ? "6" : "4";
  if (hostIP === "0.0.0.0" || hostIP === "::") return [`any${family}`, `${protocol} . ${hostPort}`];
  return [`host${family}`, `${protocol} . ${hostIP} . ${hostPort}`];
}
