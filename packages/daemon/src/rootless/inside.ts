import { realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Clock, readIfPresent, systemCode } from "@boxship/base";
import {
  bindMount,
  isMountPoint,
  mount,
  NetlinkSocket,
  Nftables,
  NftBit,
  type NftTable,
  readMountinfo,
  setLink,
} from "@boxship/kernel";
import { clientNameChains, OutsidePortsClient, routeClientNames } from "@boxship/network";
import { processesBeside } from "./holder.ts";
import {
  endRootlessProcesses,
  loopbackSocket,
  portsSocket,
  type RootlessState,
  readRootlessState,
} from "./rootless-state.ts";

const TABLE: NftTable = { family: "inet", name: "boxship-outside" };
/** The kernel's number of `lo`, in every network namespace. */
const LOOPBACK_INDEX = 1;
const RESOLV_CONF = "/etc/resolv.conf";

/** What the daemon inside the namespaces of an instance without root has of them. */
export interface Inside extends Disposable {
  readonly outsidePorts: OutsidePortsClient;
  /** Where names are resolved by servers that can be reached from inside. */
  readonly resolvConf: string;
  /** Whether more than this daemon and what keeps the namespaces runs in them: monitors of containers. */
  isUsed(): boolean;
  /** Ends the processes that keep the namespaces; those go with this process then. */
  end(): void;
}

/** Does what the namespaces still need; idempotent. */
export function prepareInside(runDir: string, clock: Clock): Inside {
  const state = readRootlessState(runDir);
  const keepers = {
    isUsed() {
      const pids = [state?.holder, state?.outside?.process, state?.ports].map((running) => running?.pid);
      return processesBeside().some((pid) => pid !== process.pid && !pids.includes(pid));
    },
    end() {
      if (state !== undefined) endRootlessProcesses(state);
    },
  };
  try {
    return { ...keepers, ...prepared(runDir, clock, state) };
  } catch (error) {
    if (!keepers.isUsed()) keepers.end();
    throw error;
  }
}

function prepared(runDir: string, clock: Clock, state: RootlessState | undefined): Omit<Inside, "isUsed" | "end"> {
  {
    using route = new NetlinkSocket();
    setLink(route, "lo", { up: true });
    routeClientNames(route, LOOPBACK_INDEX);
  }
  replaceTable();
  // Read wherever registries and addresses are connected to, in worker threads too.
  process.env["BOXSHIP_LOOPBACK_DOOR"] = loopbackSocket(runDir);
  if (state?.cgroup !== undefined) showOwnGroups();
  const nameServer = state?.outside?.nameServer;
  const outsidePorts = new OutsidePortsClient(portsSocket(runDir), clock);
  return {
    outsidePorts,
    resolvConf: nameServer === undefined ? RESOLV_CONF : resolveBy(nameServer, join(runDir, "resolv.conf")),
    [Symbol.dispose]: () => outsidePorts[Symbol.dispose](),
  };
}

/**
 * Keeps clients' names ({@link clientNameChains}), and drops what connection tracking cannot make sense of. Early versions
 * of pasta send a segment without any flag now and then: it is not translated back to its container, and our own TCP would
 * answer it with a reset of the connection.
 */
function replaceTable(): void {
  using nftables = new Nftables();
  const chain = "input";
  nftables.run([
    // So that there is something to delete, whoever was here before.
    { verb: "add-table", table: TABLE },
    { verb: "delete-table", table: TABLE },
    { verb: "add-table", table: TABLE },
    ...clientNameChains(TABLE),
    { verb: "add-chain", table: TABLE, chain, base: { type: "filter", hook: "input", priority: -10 } },
    {
      verb: "add-rule",
      table: TABLE,
      chain,
      statements: [
        { kind: "any-bit", selector: "ct state", bits: NftBit.invalid },
        { kind: "verdict", verdict: "drop" },
      ],
    },
  ]);
}

const CGROUPS = "/sys/fs/cgroup";

/** Mounts the instance's control groups over the machine's, so that all of it is what a v2 machine gives to root. */
function showOwnGroups(): void {
  const upmost = readMountinfo().findLast(({ mountPoint }) => mountPoint === CGROUPS);
  // The machine's has a root that lies above this namespace's.
  if (upmost?.type === "cgroup2" && upmost.root === "/") return;
  mount({ source: "cgroup2", target: CGROUPS, type: "cgroup2" });
}

/**
 * Puts a resolver configuration with that server in the machine's place, for our own look-ups too. The file is written
 * in place: a mount follows the file, not its name.
 */
function resolveBy(nameServer: string, path: string): string {
  const kept = (readIfPresent(RESOLV_CONF) ?? "").split("\n").filter((line) => /^(search|domain|options)\s/.test(line));
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
