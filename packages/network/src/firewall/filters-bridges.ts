import { systemCode } from "@boxship/base";
import { readNetworkSysctl } from "@boxship/kernel";

/**
 * Whether bridged packets pass the host's filters (br_netfilter). Then a container's packet to its own published port is
 * translated inside the bridge and has to leave by the port it came from.
 */
export function filtersBridges(): boolean {
  try {
    return readNetworkSysctl("net.bridge.bridge-nf-call-iptables") === "1";
  } catch (error) {
    if (systemCode(error) === "NotFound") return false;
    throw error;
  }
}
