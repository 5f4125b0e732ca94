import { existsSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Clock, systemCode } from "@boxship/base";
import { bindMount, isMountPoint, NetlinkSocket, setLink } from "@boxship/kernel";
import { OutsidePortsClient } from "@boxship/network";
import { endRootlessProcesses, portsSocket, readRootlessState } from "./rootless-state.ts";

const LIBERAL = "/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal";
const RESOLV_CONF = "/etc/resolv.conf";

/** What the daemon inside the namespaces of an instance without root has of them. */
export interface Inside extends Disposable {
  readonly outsidePorts: OutsidePortsClient;
  /** Where names are resolved by servers that can be reached from inside. */
  readonly resolvConf: string;
  /** Ends the processes that keep the namespaces; those go with this process then. */
  end(): void;
}

/** Does what the namespaces still need; idempotent. */
export function prepareInside(runDir: string, clock: Clock): Inside {
  {
    using route = new NetlinkSocket();
    setLink(route, "lo", { up: true });
  }
  // pasta acknowledges in ways that connection tracking takes for invalid, and then does not translate.
  if (existsSync(LIBERAL)) writeFileSync(LIBERAL, "1");
  const state = readRootlessState(runDir);
  const nameServer = state?.outside?.nameServer;
  const outsidePorts = new OutsidePortsClient(portsSocket(runDir), clock);
  return {
    outsidePorts,
    resolvConf: nameServer === undefined ? RESOLV_CONF : resolveBy(nameServer, join(runDir, "resolv.conf")),
    end() {
      if (state !== undefined) endRootlessProcesses(state);
    },
    [Symbol.dispose]: () => outsidePorts[Symbol.dispose](),
  };
}

/**
 * Puts a resolver configuration with that server in the machine's place, for our own look-ups too. The file is written
 * in place: a mount follows the file, not its name.
 */
function resolveBy(nameServer: string, path: string): string {
  const kept = readText(RESOLV_CONF)
    .split("\n")
    .filter((line) => /^(search|domain|options)\s/.test(line));
  writeFileSync(path, [`nameserver ${nameServer}`, ...kept, ""].join("\n"));
  try {
    const target = realpathSync(RESOLV_CONF);
    if (!isMountPoint(target)) bindMount({ source: path, target });
  } catch (error) {
    // A machine without the file has nothing to be covered.
    if (systemCode(error) !== "ENOENT") throw error;
  }
  return path;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return "";
    throw error;
  }
}
