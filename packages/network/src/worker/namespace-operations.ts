import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { systemCode } from "@boxship/base";
import {
  addressBytes,
  bindNamespace,
  bindSocket,
  createNamespace,
  type Fd,
  inNamespace,
  NetlinkSocket,
  Nftables,
  type NftCommand,
  type NftStatement,
  openNamespace,
  portBytes,
  setLink,
  unbindNamespace,
  writeNetworkSysctl,
} from "@boxship/kernel";
import type { WorkerContext } from "./context.ts";

export interface PrepareNamespaces {
  readonly directory: string;
  readonly count: number;
}

/** Where the resolver of a namespace listens. */
export const ResolverAddress = "127.0.0.11";
const RESOLVER_TABLE = "boxship-dns";
const PROTOCOL = { udp: Buffer.of(17), tcp: Buffer.of(6) } as const;

/**
 * Makes empty namespaces, kept under random names in `directory`, and returns their paths: loopback is up, and further
 * interfaces have no IPv6 unless they are told to.
 */
export function prepareNamespaces(_context: WorkerContext, request: PrepareNamespaces): string[] {
  return Array.from({ length: request.count }, () => {
    using namespace = createNamespace("net", prepareInside);
    return keepNamespace(namespace, request.directory);
  });
}

export interface AdoptNamespace {
  readonly directory: string;
  /** A path that leads to it, such as one of a descriptor of this process. */
  readonly namespace: string;
}

/** As {@link prepareNamespaces}, for a namespace that somebody else has made. */
export function adoptNamespace(_context: WorkerContext, request: AdoptNamespace): string {
  using namespace = openNamespace(request.namespace);
  inNamespace(namespace, "net", prepareInside);
  return keepNamespace(namespace, request.directory);
}

function prepareInside(): void {
  using route = new NetlinkSocket();
  setLink(route, "lo", { up: true });
  setIPv6("default", false);
}

function keepNamespace(namespace: Fd, directory: string): string {
  const path = join(directory, randomBytes(6).toString("hex"));
  bindNamespace(namespace, path);
  return path;
}

/**
 * Switches IPv6 on or off for an interface of the thread's namespace (`default`: for those to come); a kernel without
 * IPv6 has it off. Addresses are ours to hand out, so nobody asks the link whether they are in use, which would keep an
 * interface from sending for a second or two.
 */
export function setIPv6(name: string, enabled: boolean): void {
  try {
    writeNetworkSysctl(`net/ipv6/conf/${name}/accept_dad`, 0);
    writeNetworkSysctl(`net/ipv6/conf/${name}/disable_ipv6`, enabled ? 0 : 1);
  } catch (error) {
    if (enabled || systemCode(error) !== "NotFound") throw error;
  }
}

/** Forgets a namespace; the kernel takes it apart when its last process and open file are gone. */
export function releaseNamespace(_context: WorkerContext, path: string): void {
  try {
    unbindNamespace(path);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
}

export interface WriteSysctls {
  readonly namespace: string;
  readonly sysctls: Readonly<Record<string, string>>;
}

/** Sets parameters in a namespace, in the order given. */
export function writeSysctls(context: WorkerContext, request: WriteSysctls): void {
  context.inside(request.namespace, () => {
    for (const [name, value] of Object.entries(request.sysctls)) writeNetworkSysctl(name, value);
  });
}

/** Descriptors of the resolver's sockets, which whoever receives them owns. */
export interface ResolverSockets {
  readonly udp: number;
  readonly tcp: number;
}

export interface ReopenResolver {
  readonly namespace: string;
  /** Whether it had a resolver before. */
  readonly again: boolean;
}

/** {@link openResolver} for a namespace by path. */
export function reopenResolver(context: WorkerContext, { namespace, again }: ReopenResolver): ResolverSockets {
  return context.inside(namespace, () => openResolver(again));
}

/**
 * Opens the resolver's sockets in the thread's namespace. They sit on a port of the kernel's choice, so that a container
 * can have a name server of its own on port 53; packets between it and 127.0.0.11:53 are rewritten on their way, without
 * state, so that connection tracking stays off in the container.
 *
 * @param again replace the rules of an earlier time
 */
export function openResolver(again: boolean): ResolverSockets {
  const { udp, tcp, port } = bindResolverPorts();
  try {
    using nftables = new Nftables();
    nftables.run(rewriteResolver(port, again));
  } catch (error) {
    udp.close();
    tcp.close();
    throw error;
  }
  return { udp: udp.release(), tcp: tcp.release() };
}

function rewriteResolver(port: number, again: boolean): NftCommand[] {
  const table = { family: "ip", name: RESOLVER_TABLE } as const;
  const chain = "output";
  const own = portBytes(port);
  const standard = portBytes(53);
  const rules = (["udp", "tcp"] as const).flatMap((protocol): NftStatement[][] => {
    const isProtocol = { kind: "equals", selector: "meta l4proto", value: PROTOCOL[protocol] } as const;
    return [
      [
        { kind: "equals", selector: "ip daddr", value: addressBytes(ResolverAddress) },
        isProtocol,
        { kind: "equals", selector: "th dport", value: standard },
        { kind: "set-port", selector: "th dport", protocol, value: own },
      ],
      [
        { kind: "equals", selector: "ip saddr", value: addressBytes(ResolverAddress) },
        isProtocol,
        { kind: "equals", selector: "th sport", value: own },
        { kind: "set-port", selector: "th sport", protocol, value: standard },
      ],
    ];
  });
  return [
    { verb: "add-table", table },
    // Only then: after a deletion the kernel makes us wait for a grace period.
    ...(again
      ? ([
          { verb: "delete-table", table },
          { verb: "add-table", table },
        ] as const)
      : []),
    { verb: "add-chain", table, chain, base: { type: "filter", hook: "output", priority: -300 } },
    ...rules.map((statements): NftCommand => ({ verb: "add-rule", table, chain, statements })),
  ];
}

function bindResolverPorts() {
  for (let attempt = 1; ; attempt++) {
    const { fd: udp, port } = bindSocket({ protocol: "udp", address: ResolverAddress, port: 0 });
    try {
      return { udp, tcp: bindSocket({ protocol: "tcp", address: ResolverAddress, port }).fd, port };
    } catch (error) {
      udp.close();
      if (attempt === 10 || systemCode(error) !== "EADDRINUSE") throw error;
    }
  }
}
