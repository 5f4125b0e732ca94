import { type Logger, systemCode, Unsupported } from "@boxship/base";
import { bindSocket, type Fd } from "@boxship/kernel";
import type { PortBinding } from "../contract.ts";
import type { OutsidePorts } from "../outside/contract.ts";
import { proxyTcp } from "./proxy-tcp.ts";
import { proxyUdp } from "./proxy-udp.ts";

/** Where a proxy sends what it receives, looked up for every connection; undefined when there is nobody now. */
export type ProxyTarget = () => { readonly address: string; readonly port: number } | undefined;

/** A port of the host that nobody else can take as long as this is not closed. */
export interface Reservation {
  readonly binding: PortBinding;
  close(): void;
  /** This program ends: what others keep for it stays. */
  leave(): void;
  /** The target is another now. */
  moved(): Promise<void>;
}

/** A reservation that this process holds: it ends with it, and finds the target by itself. */
function heldHere(binding: PortBinding, close: () => void): Reservation {
  return { binding, close, leave: close, moved: () => Promise.resolve() };
}

/**
 * Reserves a port outside of our own network namespace, where it is forwarded by others. Fails with what bind(2) reports.
 *
 * @param again whether the port is the caller's already, from before this program started
 */
export async function reserveOutside(
  outside: OutsidePorts,
  binding: PortBinding,
  target: ProxyTarget,
  { again, logger }: { readonly again: boolean; readonly logger: Logger },
): Promise<Reservation> {
  if (binding.protocol === "sctp") {
    throw new Unsupported("SCTP ports cannot be published by an engine without root", {
      subject: { kind: "port", name: `${binding.containerPort}/sctp` },
    });
  }
  if (again) await outside.lead(binding, target());
  else await outside.publish(binding, target());
  return {
    binding,
    close() {
      outside.withdraw(binding).catch((error: unknown) => {
        logger.warn("cannot withdraw a published port", { hostPort: binding.hostPort, error });
      });
    },
    leave() {},
    moved: () => outside.lead(binding, target()),
  };
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
  if (fd === undefined) return heldHere(binding, () => {});
  if (protocol === "sctp") return heldHere(binding, () => fd.close());
  try {
    const family = binding.hostIP.includes(":") ? 6 : 4;
    const proxy = protocol === "tcp" ? proxyTcp(fd.number, target) : proxyUdp(fd.number, family, target);
    fd.release();
    return heldHere(binding, () => proxy[Symbol.dispose]());
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
