import { bindSocket, type Fd } from "@boxship/kernel";
import type { PortBinding } from "../contract.ts";
import { proxyTcp } from "./proxy-tcp.ts";
import { proxyUdp } from "./proxy-udp.ts";

/** Where a proxy sends what it receives, looked up for every connection; undefined when there is nobody now. */
export type ProxyTarget = () => { readonly address: string; readonly port: number } | undefined;

/** A port of the host that nobody else can take as long as this is not closed. */
export interface Reservation {
  readonly binding: PortBinding;
  close(): void;
}

/**
 * Reserves a port by really binding it, so that other programs find it taken and we find those that have it.
 *
 * What arrives for an IPv4 port is translated before any socket sees it, so its socket only sits there. IPv6 is another
 * matter: the kernel never translates ::1, and a container without an IPv6 address cannot be translated to; these
 * connections reach the socket, and a proxy in this process passes them on, under the bridge's address.
 *
 * Fails with what bind(2) reports.
 */
export function reservePort(binding: PortBinding, target: ProxyTarget): Reservation {
  const { protocol, hostIP, hostPort } = binding;
  const { fd } = bindSocket({ protocol, address: hostIP, port: hostPort });
  if (!hostIP.includes(":") || protocol === "sctp") return held(binding, fd);
  try {
    const proxy = protocol === "tcp" ? proxyTcp(fd.number, target) : proxyUdp(fd.number, target);
    fd.release();
    return { binding, close: () => proxy[Symbol.dispose]() };
  } catch (error) {
    fd.close();
    throw error;
  }
}

function held(binding: PortBinding, fd: Fd): Reservation {
  return { binding, close: () => fd.close() };
}
