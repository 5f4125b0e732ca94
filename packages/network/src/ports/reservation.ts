import { systemCode } from "@boxship/base";
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
 * Nearly everything that arrives for the port is translated before any socket sees it. What does reach the socket, a
 * proxy in this process passes on, under the bridge's address: connections to ::1, which the kernel never translates,
 * IPv6 ones to a container that has IPv4 only, and all of them while somebody has flushed our rules.
 *
 * Fails with what bind(2) reports.
 */
export function reservePort(binding: PortBinding, target: ProxyTarget): Reservation {
  const { protocol } = binding;
  const fd = bindOrTranslate(binding);
  if (fd === undefined) return { binding, close: () => {} };
  if (protocol === "sctp") return { binding, close: () => fd.close() };
  try {
    const family = binding.hostIP.includes(":") ? 6 : 4;
    const proxy = protocol === "tcp" ? proxyTcp(fd.number, target) : proxyUdp(fd.number, family, target);
    fd.release();
    return { binding, close: () => proxy[Symbol.dispose]() };
  } catch (error) {
    fd.close();
    throw error;
  }
}

/** Kernels that cannot speak SCTP themselves still translate it, and nobody on the host can have the port. */
function bindOrTranslate({ protocol, hostIP, hostPort }: PortBinding): Fd | undefined {
  try {
    return bindSocket({ protocol, address: hostIP, port: hostPort }).fd;
  } catch (error) {
    if (protocol === "sctp" && ["EPROTONOSUPPORT", "ESOCKTNOSUPPORT"].includes(systemCode(error) ?? ""))
      return undefined;
    throw error;
  }
}
