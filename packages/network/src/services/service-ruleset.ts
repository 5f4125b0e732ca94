import {
  encodeFields,
  NftAddressType,
  type NftBase,
  NftBit,
  type NftCommand,
  type NftElement,
  NftFamily,
  type NftSelector,
  type NftSet,
  type NftStatement,
  type NftTable,
} from "@boxship/kernel";
import { FROM_CONTAINER } from "../firewall/ruleset.ts";
import { formatAddress, type IpAddress, lastAddress, type Prefix, parsePrefix } from "../ip/prefix.ts";
import type { ServiceFront, ServicePlace, ServiceTableSettings } from "./service-fronts.ts";

/**
 * The nftables table of a cluster's services, `table inet <name>-svc`.
 *
 * What a service is, is elements of maps; rules know nothing of services, so that a change costs the same however many there
 * are. With 4 for the family (6 is the same):
 *
 *     set pods4        { subnet }                                       networks of pods
 *     map cluster4     { address . protocol . port : goto class }       reached by pods, other containers and this machine
 *     map external4    { address . protocol . port : goto class }       reached by everybody
 *     map ports4       { protocol . port : goto class }                 on all addresses of this machine
 *     map places4      { address . protocol . port . number : address . port }   the places, numbered from 0
 *     map port-places4 { protocol . port . number : address . port }
 *     map clients4     { client . address . protocol . port : address . port }   who comes back, for a time
 *     map sticky4      { address . protocol . port : goto chain }       fronts whose clients come back
 *     map ports-sticky4 { protocol . port : goto chain }
 *     set own4         { address . address }                            each place twice
 *     set addresses4   { address }                                      all that pods and this machine reach
 *     set limited4     { address . protocol . port }                    fronts that let in only some clients
 *     set allowed4     { address . protocol . port . client }           and whom they let in
 *     set ...-dropped4, refused4, ports-refused4                        fronts without places
 *
 * A **class** is how a packet is led: among how many places, whether its source is hidden, for how long its client comes
 * back. All fronts of a class share a chain, which draws a number and looks the place up. Chains are made when a class is
 * first needed, and stay.
 *
 * - `loopback` (prerouting, before connection tracking), where nobody tells which addresses pods have: who asks for 127.0.0.0/8 from
 *   elsewhere is dropped.
 * - `limit-prerouting`, `limit-output` (filter, before all else): clients whom a front does not let in are dropped.
 * - `prerouting`, `output` (destination NAT): pods and this machine find cluster addresses, everybody finds the rest. What
 *   this machine listens at comes after: a service's port wins.
 * - `forward`, `input`, `output` (filter): what is for a service and was not led anywhere is refused, or dropped.
 * - `postrouting` (source NAT, before the engine's): where a client went is remembered, where services want that; who
 *   asks for it is hidden; so is a pod that meets itself, or it would
 *   answer itself; pods that meet each other keep their addresses where answers come back this way.
 */

type Version = 4 | 6;

const ADDRESS = { 4: "ipv4_addr", 6: "ipv6_addr" } as const;
const SOURCE = { 4: "ip saddr", 6: "ip6 saddr" } as const;
const DESTINATION = { 4: "ip daddr", 6: "ip6 daddr" } as const;
const FAMILY = { 4: "ip", 6: "ip6" } as const;
/** Clients that are remembered, of each family. */
const MOST_CLIENTS = 1 << 17;
/** The bit of a packet's mark that asks to hide its source; the one that other programs of this kind use, too. */
const HIDE = 0x4000;
/** Places of one front at most: more have no number in a class. */
export const MOST_PLACES = 0xfff;
const CLASS_BIT = { masquerade: 1 << 12, ports: 1 << 13, sticky: 14 } as const;
const PROTOCOL_NUMBER = { tcp: 6, udp: 17, sctp: 132 } as const;

function setsOf(version: Version) {
  const address = ADDRESS[version];
  const named = <Set extends Omit<NftSet, "name">>(name: string, set: Set) => ({ ...set, name: `${name}${version}` });
  const front = [address, "inet_proto", "inet_service"] as const;
  const port = ["inet_proto", "inet_service"] as const;
  const place = [address, "inet_service"] as const;
  return {
    pods: named("pods", { key: [address], interval: true }),
    cluster: named("cluster", { key: front, data: "verdict" }),
    external: named("external", { key: front, data: "verdict" }),
    ports: named("ports", { key: port, data: "verdict" }),
    places: named("places", { key: [...front, "mark"], data: place }),
    portPlaces: named("port-places", { key: [...port, "mark"], data: place }),
    clients: named("clients", { key: [address, ...front], data: place, dynamic: MOST_CLIENTS }),
    sticky: named("sticky", { key: front, data: "verdict" }),
    portsSticky: named("ports-sticky", { key: port, data: "verdict" }),
    own: named("own", { key: [address, address] }),
    addresses: named("addresses", { key: [address] }),
    clusterDropped: named("cluster-dropped", { key: front }),
    refused: named("refused", { key: front }),
    dropped: named("dropped", { key: front }),
    portsRefused: named("ports-refused", { key: port }),
    limited: named("limited", { key: front }),
    allowed: named("allowed", { key: [...front, address], interval: true }),
    portsDropped: named("ports-dropped", { key: port }),
  } satisfies Record<string, NftSet>;
}

const SETS = { 4: setsOf(4), 6: setsOf(6) } as const;

/** The name of the table of an instance's services. */
export function servicesTable(instance: string): string {
  return `${instance}-svc`;
}

const tableOf = (name: string): NftTable => ({ family: "inet", name: servicesTable(name) });

const versionOf = ({ family }: Pick<ServiceFront, "family">): Version => (family === "ipv4" ? 4 : 6);

/** Commands that remove the table if it is there. */
export function removeServices(name: string): NftCommand[] {
  const table = tableOf(name);
  return [
    { verb: "add-table", table },
    { verb: "delete-table", table },
  ];
}

/** Commands that replace the whole table, in one transaction. */
export function replaceServices(settings: ServiceTableSettings, fronts: readonly ServiceFront[]): NftCommand[] {
  const classes = new Map<string, ServiceFront>();
  for (const front of fronts) if (front.action === "balance") classes.set(className(front), front);
  // Those of one set follow each other: they share a message then.
  const elements = fronts.flatMap(frontElements).sort((left, right) => (left.set.name < right.set.name ? -1 : 1));
  return [
    ...removeServices(settings.name),
    ...skeleton(settings),
    ...[...classes.values()].flatMap((front) => addClass(settings.name, front)),
    ...elements.map((element) => addElement(settings.name, element)),
  ];
}

/** An element that stands for a front; one that is shared may stand for others, too. */
export interface FrontElement {
  readonly set: NftSet;
  readonly element: NftElement;
  readonly shared: boolean;
}

export function addElement(name: string, { set, element }: FrontElement): NftCommand {
  return { verb: "add-element", table: tableOf(name), set, element };
}

export function deleteElement(name: string, { set, element: { key, end } }: FrontElement): NftCommand {
  const element = { key, ...(end === undefined ? {} : { end }) };
  return { verb: "delete-element", table: tableOf(name), set, element };
}

/** How a front's packets are led, as a number. */
function classOf({ places, masquerade, address, stickySeconds }: ServiceFront): number {
  const bits = (masquerade ? CLASS_BIT.masquerade : 0) | (address === undefined ? CLASS_BIT.ports : 0);
  return (Math.min(places.length, MOST_PLACES) | bits | (stickySeconds << CLASS_BIT.sticky)) >>> 0;
}

/** The chain of a front's class, which all fronts of that class share. */
export function className(front: ServiceFront): string {
  return `class${versionOf(front)}-${classOf(front).toString(16)}`;
}

/** The chain that remembers where clients went, for as long as the front wants it. */
function memoryName(front: ServiceFront): string {
  return `remember${versionOf(front)}-${className(front)}`;
}

/** Commands that make the class of a front. */
export function addClass(name: string, front: ServiceFront): NftCommand[] {
  const table = tableOf(name);
  const version = versionOf(front);
  const chain = chainOf(table, className(front), undefined, classRules(front));
  if (front.stickySeconds === 0) return chain;
  const remember: NftStatement = {
    kind: "remember",
    selectors: [SOURCE[version], ...originalSelectors(version)],
    data: [DESTINATION[version], "th dport"],
    map: SETS[version].clients.name,
    seconds: front.stickySeconds,
  };
  return [...chain, ...chainOf(table, memoryName(front), undefined, [[isFamily(version), remember]])];
}

function classRules(front: ServiceFront): NftStatement[][] {
  const version = versionOf(front);
  const sets = SETS[version];
  const family = FAMILY[version];
  const byPort = front.address === undefined;
  const selectors = byPort ? PORT : frontSelectors(version);
  const map = (byPort ? sets.portPlaces : sets.places).name;
  const among = Math.min(front.places.length, MOST_PLACES);
  const plain: NftStatement = { kind: "translate", family, selectors, among, map };
  const hide: NftStatement[][] = front.masquerade ? [[{ kind: "add-mark", bits: HIDE }]] : [];
  if (front.stickySeconds === 0) return [...hide, [plain]];
  const client = [SOURCE[version], ...frontSelectors(version)];
  return [...hide, [{ kind: "translate", family, selectors: client, map: sets.clients.name }], [plain]];
}

/** Places that a front has no longer. */
export interface LostPlaces {
  readonly front: ServiceFront;
  readonly places: readonly ServicePlace[];
}

/** Commands that forget the clients who would come back to places that are gone. */
export function forgetClients(
  name: string,
  lost: readonly LostPlaces[],
  list: (table: NftTable, set: string) => readonly { readonly key: Buffer; readonly data: Buffer | undefined }[],
): NftCommand[] {
  const table = tableOf(name);
  return ([4, 6] as const).flatMap((version) => {
    const { clients: set } = SETS[version];
    const gone = new Set<string>();
    for (const { front, places } of lost) {
      if (versionOf(front) !== version) continue;
      for (const { address, port } of places) gone.add(goneKey(front, encodeFields(set.data, [address, port])));
    }
    if (gone.size === 0) return [];
    return list(table, set.name).flatMap(({ key, data = Buffer.alloc(0) }): NftCommand[] => {
      const wanted = `${key.toString("hex", key.length - PORT_KEY_BYTES)} ${data.toString("hex")}`;
      return gone.has(wanted) ? [{ verb: "delete-element", table, set, element: { key } }] : [];
    });
  });
}

/** Protocol and port at the end of a key. */
const PORT_KEY_BYTES = 8;

/** As in the keys and data of clients. The address is left out: a port has many. */
function goneKey({ protocol, port }: ServiceFront, data: Buffer): string {
  const key = encodeFields(["inet_proto", "inet_service"], [PROTOCOL_NUMBER[protocol], port]);
  return `${key.toString("hex")} ${data.toString("hex")}`;
}

/** All that a front is in the table, but its class. */
export function frontElements(front: ServiceFront): FrontElement[] {
  const { address, protocol, port, action, reach } = front;
  const sets = SETS[versionOf(front)];
  const number = PROTOCOL_NUMBER[protocol];
  const element = (set: NftSet, values: readonly (string | number)[], rest: object = {}, shared = false) => ({
    set,
    element: { key: encodeFields(set.key, values), ...rest },
    shared,
  });
  const key = address === undefined ? [number, port] : [address, number, port];
  const known = reach === "cluster" && address !== undefined ? [element(sets.addresses, [address], {}, true)] : [];
  if (action === "balance") return [...known, ...limits(front, key, element), ...balanced(front, key, element)];
  if (address === undefined) return [element(action === "drop" ? sets.portsDropped : sets.portsRefused, key)];
  if (reach === "everybody") return [element(action === "drop" ? sets.dropped : sets.refused, key)];
  // All that goes to a known address and is led nowhere is refused.
  return action === "drop" ? [...known, element(sets.clusterDropped, key)] : known;
}

type MakeElement = (set: NftSet, values: readonly (string | number)[], rest?: object, shared?: boolean) => FrontElement;

/** Whom it lets in; nobody who is not let in finds out whether there are places. */
function limits({ family, sources, address }: ServiceFront, key: readonly (string | number)[], element: MakeElement) {
  if (sources === undefined || address === undefined) return [];
  const { limited, allowed } = SETS[family === "ipv4" ? 4 : 6];
  const ranges = mergeRanges(sources.map(parsePrefix).filter((one) => one.family === (family === "ipv4" ? 4 : 6)));
  return [
    element(limited, key),
    ...ranges.map(([first, last]) => {
      return element(allowed, [...key, first], { end: encodeFields(allowed.key, [...key, last]) });
    }),
  ];
}

/** First and last addresses of prefixes of one family; those that touch are one. */
function mergeRanges(prefixes: readonly Prefix[]): (readonly [first: string, last: string])[] {
  const merged: { readonly first: IpAddress; last: IpAddress }[] = [];
  for (const prefix of prefixes.toSorted((left, right) => (left.value < right.value ? -1 : 1))) {
    const before = merged.at(-1);
    const last = lastAddress(prefix);
    if (before === undefined || prefix.value > before.last.value + 1n) merged.push({ first: prefix, last });
    else if (last.value > before.last.value) before.last = last;
  }
  return merged.map(({ first, last }) => [formatAddress(first), formatAddress(last)]);
}

function balanced(front: ServiceFront, key: readonly (string | number)[], element: MakeElement): FrontElement[] {
  const { address, reach, stickySeconds } = front;
  const sets = SETS[versionOf(front)];
  const places = front.places.slice(0, MOST_PLACES);
  const byPort = address === undefined;
  const first = byPort ? sets.ports : reach === "cluster" ? sets.cluster : sets.external;
  const map = byPort ? sets.portPlaces : sets.places;
  return [
    element(first, key, { goto: className(front) }),
    ...places.map((place, index) => {
      return element(map, [...key, index], { data: encodeFields(map.data, [place.address, place.port]) });
    }),
    ...(stickySeconds === 0
      ? []
      : [element(byPort ? sets.portsSticky : sets.sticky, key, { goto: memoryName(front) })]),
    ...places.map((place) => element(sets.own, [place.address, place.address], {}, true)),
  ];
}

const PORT: readonly NftSelector[] = ["meta l4proto", "th dport"];
const frontSelectors = (version: Version): readonly NftSelector[] => [DESTINATION[version], ...PORT];

const ORIGINAL = { 4: "ct original ip daddr", 6: "ct original ip6 daddr" } as const;
const ORIGINAL_PORT: readonly NftSelector[] = ["meta l4proto", "ct original proto-dst"];
const originalSelectors = (version: Version): readonly NftSelector[] => [ORIGINAL[version], ...ORIGINAL_PORT];

const established: NftStatement = { kind: "any-bit", selector: "ct state", bits: NftBit.established | NftBit.related };
const translated: NftStatement = { kind: "any-bit", selector: "ct status", bits: NftBit.destinationTranslated };
const local: NftStatement = { kind: "equals", selector: "fib daddr type", value: NftAddressType.local };
const accept: NftStatement = { kind: "verdict", verdict: "accept" };
const drop: NftStatement = { kind: "verdict", verdict: "drop" };
const tcp: NftStatement = { kind: "equals", selector: "meta l4proto", value: Buffer.of(PROTOCOL_NUMBER.tcp) };
const masquerade: NftStatement = { kind: "masquerade" };
/** By TCP itself, for TCP: the kernel sends only so many messages of ICMP. */
const REFUSE: readonly (readonly NftStatement[])[] = [
  [tcp, { kind: "reject", by: "tcp" }],
  [{ kind: "reject", by: "icmp" }],
];
const jump = (chain: string): NftStatement => ({ kind: "jump", chain });

function member(set: NftSet, ...selectors: NftSelector[]): NftStatement {
  return { kind: "member", selectors, set: set.name };
}

function isFamily(version: Version): NftStatement {
  return { kind: "equals", selector: "meta nfproto", value: version === 4 ? NftFamily.ipv4 : NftFamily.ipv6 };
}

function chainOf(
  table: NftTable,
  chain: string,
  base: NftBase | undefined,
  rules: readonly (readonly NftStatement[])[],
): NftCommand[] {
  return [
    { verb: "add-chain", table, chain, ...(base === undefined ? {} : { base }) },
    ...rules.map((statements): NftCommand => ({ verb: "add-rule", table, chain, statements })),
  ];
}

function skeleton(settings: ServiceTableSettings): NftCommand[] {
  const table = tableOf(settings.name);
  const versions = [4, 6] as const;
  const each = (rules: (version: Version) => NftStatement[][]): NftStatement[][] => {
    return versions.flatMap((version) => rules(version).map((rule) => [isFamily(version), ...rule]));
  };
  /** Pods, and other containers of the engine where that is ours. */
  const fromInside = (version: Version, chain: string): NftStatement[][] => {
    if (settings.podNetworks === undefined) return [[jump(chain)]];
    const fromContainer: NftStatement = { kind: "any-bit", selector: "meta mark", bits: FROM_CONTAINER };
    return [
      [member(SETS[version].pods, SOURCE[version]), jump(chain)],
      [fromContainer, jump(chain)],
    ];
  };
  return [
    { verb: "add-table", table },
    ...versions.flatMap((version) =>
      Object.values(SETS[version]).map((set): NftCommand => ({ verb: "add-set", table, set })),
    ),
    ...podNetworks(table, settings),
    ...(settings.podNetworks === undefined ? guardLoopback(table) : []),
    ...chainOf(table, "refuse", undefined, REFUSE),
    ...versions.flatMap((version) => sideChains(table, version)),
    ...(["prerouting", "output"] as const).flatMap((hook) =>
      chainOf(table, `limit-${hook}`, { type: "filter", hook, priority: -115 }, [
        [established, accept],
        ...each((version) => [[jump(`limit${version}`)]]),
      ]),
    ),
    ...chainOf(
      table,
      "prerouting",
      { type: "nat", hook: "prerouting", priority: -110 },
      each((version) => [...fromInside(version, `cluster${version}`), [jump(`everybody${version}`)]]),
    ),
    ...chainOf(
      table,
      "local",
      { type: "nat", hook: "output", priority: -110 },
      each((version) => [[jump(`cluster${version}`)], [jump(`everybody${version}`)]]),
    ),
    ...chainOf(table, "forward", { type: "filter", hook: "forward", priority: -5 }, [
      [established, accept],
      ...each((version) => [...fromInside(version, `guard-cluster${version}`), [jump(`guard-everybody${version}`)]]),
    ]),
    ...chainOf(table, "output", { type: "filter", hook: "output", priority: -5 }, [
      [established, accept],
      ...each((version) => [[jump(`guard-cluster${version}`)], [jump(`guard-everybody${version}`)]]),
    ]),
    ...chainOf(table, "input", { type: "filter", hook: "input", priority: -5 }, [
      [established, accept],
      ...each((version) => [[jump(`guard-everybody${version}`)], [jump(`guard-ports${version}`)]]),
    ]),
    ...chainOf(table, "postrouting", { type: "nat", hook: "postrouting", priority: 90 }, [
      ...each((version) => [[translated, jump(`remember${version}`)]]),
      [{ kind: "any-bit", selector: "meta mark", bits: HIDE }, masquerade],
      ...each((version) => sourceRules(settings, version)),
    ]),
  ];
}

/** Bridges that are not ours may lead to the loopback, or pods would not reach what is served there; services alone do. */
function guardLoopback(table: NftTable): NftCommand[] {
  return chainOf(table, "loopback", { type: "filter", hook: "prerouting", priority: -300 }, [
    [{ kind: "equals", selector: "iifname", value: encodeFields(["ifname"], ["lo"]) }, accept],
    [isFamily(4), { kind: "equals", selector: "ip daddr/8", value: Buffer.of(127) }, drop],
  ]);
}

function podNetworks(table: NftTable, { podNetworks: networks = [] }: ServiceTableSettings): NftCommand[] {
  return networks.map((network) => {
    const prefix = parsePrefix(network);
    const { pods: set } = SETS[network.includes(":") ? 6 : 4];
    const key = encodeFields(set.key, [formatAddress(prefix)]);
    const end = encodeFields(set.key, [formatAddress(lastAddress(prefix))]);
    return { verb: "add-element", table, set, element: { key, end } };
  });
}

function sideChains(table: NftTable, version: Version): NftCommand[] {
  const sets = SETS[version];
  const front = frontSelectors(version);
  const lead = (map: NftSet, selectors: readonly NftSelector[]): NftStatement => {
    return { kind: "goto-mapped", selectors, map: map.name };
  };
  return [
    ...chainOf(table, `limit${version}`, undefined, [
      [member(sets.allowed, ...front, SOURCE[version]), { kind: "verdict", verdict: "return" }],
      [member(sets.limited, ...front), drop],
    ]),
    ...chainOf(table, `cluster${version}`, undefined, [[lead(sets.cluster, front)]]),
    ...chainOf(table, `everybody${version}`, undefined, [
      [lead(sets.external, front)],
      [local, lead(sets.ports, PORT)],
    ]),
    ...chainOf(table, `remember${version}`, undefined, [
      [lead(sets.sticky, originalSelectors(version))],
      [lead(sets.portsSticky, ORIGINAL_PORT)],
    ]),
    ...chainOf(table, `guard-cluster${version}`, undefined, [
      [member(sets.clusterDropped, ...front), drop],
      [member(sets.addresses, DESTINATION[version]), jump("refuse")],
    ]),
    ...chainOf(table, `guard-everybody${version}`, undefined, [
      [member(sets.dropped, ...front), drop],
      [member(sets.refused, ...front), jump("refuse")],
    ]),
    ...chainOf(table, `guard-ports${version}`, undefined, [
      [local, member(sets.portsDropped, ...PORT), drop],
      [local, member(sets.portsRefused, ...PORT), jump("refuse")],
    ]),
  ];
}

function sourceRules({ podNetworks: networks, keepSources }: ServiceTableSettings, version: Version): NftStatement[][] {
  const sets = SETS[version];
  const keep: NftStatement = { kind: "keep-source", family: FAMILY[version] };
  const among = [member(sets.pods, SOURCE[version]), member(sets.pods, DESTINATION[version])];
  return [
    [translated, member(sets.own, SOURCE[version], DESTINATION[version]), masquerade],
    ...(keepSources && networks !== undefined ? [[translated, ...among, keep]] : []),
  ];
}
