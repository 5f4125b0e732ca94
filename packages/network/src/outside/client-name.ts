import { createSocket } from "node:dgram";
import { connect, Socket } from "node:net";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";
import {
  addRoute,
  addRule,
  addressBytes,
  type Fd,
  foreignSocket,
  type NetlinkSocket,
  NftAddressType,
  type NftCommand,
  type NftTable,
  SyscallError,
} from "@boxship/kernel";
import { contains, parseAddress, parseInterfaceAddress } from "../ip/prefix.ts";
import type { DialTcp } from "../ports/proxy-tcp.ts";
import type { DialUdp } from "../ports/proxy-udp.ts";
import type { PortTarget } from "./contract.ts";

/**
 * Connections to containers in the name of their clients, so that containers see who asks although another process has
 * taken the connection for them.
 *
 * A socket may carry an address that is not its machine's (`IP_TRANSPARENT`). The container's answers go to that address
 * by way of the bridge, and must be kept from going on to the outside: connections of such sockets are marked when they
 * leave, packets of marked connections that come in are marked themselves, and a routing rule takes what is marked for
 * this namespace's own.
 */

const MARK = 0x626f_7873;
const TABLE = 0x6278;
const PRIORITY = 90;

/** The chains that mark, for a table that the caller replaces as a whole. */
export function clientNameChains(table: NftTable): readonly NftCommand[] {
  const mark = Buffer.alloc(4);
  mark.writeUInt32LE(MARK);
  return [
    { verb: "add-chain", table, chain: "mark", base: { type: "filter", hook: "output", priority: -150 } },
    {
      verb: "add-rule",
      table,
      chain: "mark",
      statements: [
        { kind: "equals", selector: "fib saddr type", value: NftAddressType.local },
        { kind: "verdict", verdict: "accept" },
      ],
    },
    { verb: "add-rule", table, chain: "mark", statements: [{ kind: "set-mark", of: "ct mark", value: mark }] },
    { verb: "add-chain", table, chain: "keep", base: { type: "filter", hook: "prerouting", priority: -150 } },
    {
      verb: "add-rule",
      table,
      chain: "keep",
      statements: [
        { kind: "equals", selector: "ct mark", value: mark },
        { kind: "set-mark", of: "meta mark", value: mark },
      ],
    },
  ];
}

/** Leads what is marked to this namespace's own sockets. Idempotent. @param loopback index of its loopback link */
export function routeClientNames(socket: NetlinkSocket, loopback: number): void {
  for (const family of ["ipv4", "ipv6"] as const) {
    unlessThere(() => addRule(socket, { family, priority: PRIORITY, table: TABLE, mark: MARK }));
    unlessThere(() =>
      addRoute(socket, {
        family,
        destination: family === "ipv4" ? "0.0.0.0/0" : "::/0",
        link: loopback,
        table: TABLE,
        type: "local",
      }),
    );
  }
}

/** There already; or a machine without IPv6, in the kernel, or on the link. */
const TOLERATED: readonly string[] = ["EEXIST", "EAFNOSUPPORT", "EOPNOTSUPP", "EACCES", "ENODEV"];

function unlessThere(add: () => void): void {
  try {
    add();
  } catch (error) {
    const code = error instanceof SyscallError ? error.code : "";
    if (!TOLERATED.includes(code)) throw error;
  }
}

interface Client {
  readonly address: string;
  readonly port: number;
}

/** Connects in the name of the client where that can be, else in our own. */
export const dialTcpAsClient: DialTcp = (to, { remoteAddress = "", remotePort = 0 }) => {
  const fd = foreign("tcp", to, { address: remoteAddress, port: remotePort });
  if (fd === undefined) return connect({ host: to.address, port: to.port, allowHalfOpen: true });
  return new Socket({ fd: fd.release(), allowHalfOpen: true });
};

/** The same for datagrams. */
export const dialUdpAsClient: DialUdp = (to, client) => {
  const fd = foreign("udp", to, client);
  const socket = createSocket(to.address.includes(":") ? "udp6" : "udp4");
  if (fd !== undefined) socket.bind({ fd: fd.release() });
  return socket;
};

function foreign(protocol: "tcp" | "udp", to: PortTarget, client: Client): Fd | undefined {
  const address = client.address.replace(/^::ffff:(?=\d+\.)/, "").replace(/%.*$/, "");
  if (address === "" || isOurs(address) || !sameFamily(address, to.address) || isNeighbour(address, to.address)) {
    return undefined;
  }
  const connection = protocol === "tcp" ? { to } : {};
  // A port that this client has in use here already, to another published port of the container, gets another number.
  for (const port of [client.port, 0]) {
    try {
      return foreignSocket({ protocol, from: { address, port }, ...connection });
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
    }
  }
  return undefined;
}

/** Root's engine shows the bridge's address for clients on the machine's loopback, too. */
function isOurs(address: string): boolean {
  return address === "::1" || address.startsWith("127.") || address.startsWith("fe80:");
}

function sameFamily(one: string, other: string): boolean {
  return addressBytes(one).length === addressBytes(other).length;
}

const KNOWN_FOR_MS = 2000;
let known: { readonly at: number; readonly list: readonly NetworkInterfaceInfo[] } | undefined;

/** Whether the container believes the client to be on its own network, and would not send answers this way. */
function isNeighbour(client: string, container: string): boolean {
  if (known === undefined || performance.now() - known.at > KNOWN_FOR_MS) {
    known = { at: performance.now(), list: Object.values(networkInterfaces()).flatMap((list) => list ?? []) };
  }
  return known.list.some(({ cidr }) => {
    if (cidr === null) return false;
    const { prefix } = parseInterfaceAddress(cidr);
    return contains(prefix, parseAddress(container)) && contains(prefix, parseAddress(client));
  });
}
