import { InvalidArgument } from "@boxship/base";
import type { NamespaceChoice, NamespaceRequest } from "./request.ts";

const IPC_NAMES: ReadonlySet<string> = new Set([
  "kernel.msgmax",
  "kernel.msgmnb",
  "kernel.msgmni",
  "kernel.sem",
  "kernel.shmall",
  "kernel.shmmax",
  "kernel.shmmni",
  "kernel.shm_rmid_forced",
]);
const MOST_PING_GROUPS = 2_147_483_647;
const UTS_NAMES: ReadonlySet<string> = new Set(["kernel.domainname"]);

/**
 * Kernel parameters for the container's own namespaces: the requested ones and Docker's defaults (low ports and ping
 * without privileges).
 *
 * @param highestGroup the highest group id that exists here
 * @throws InvalidArgument one that belongs to a namespace which the container shares with the host, or to none
 */
export function resolveSysctls(
  requested: Readonly<Record<string, string>>,
  namespaces: NamespaceRequest,
  domainname: string | undefined,
  highestGroup: number,
): Readonly<Record<string, string>> {
  const result: Record<string, string> = {};
  if (ownsNetwork(namespaces.network)) {
    result["net.ipv4.ip_unprivileged_port_start"] = "0";
    if (namespaces.user === undefined)
      result["net.ipv4.ping_group_range"] = `0 ${Math.min(highestGroup, MOST_PING_GROUPS)}`;
  }
  if (domainname !== undefined && domainname !== "" && namespaces.uts !== "host")
    result["kernel.domainname"] = domainname;
  for (const [name, value] of Object.entries(requested)) {
    const dotted = name.replaceAll("/", ".");
    check(dotted, namespaces);
    result[dotted] = value;
  }
  return result;
}

/** Whether a kernel parameter, with dots, is one of each IPC namespace. */
export const isIpcParameter = (name: string): boolean => IPC_NAMES.has(name) || name.startsWith("fs.mqueue.");

function check(name: string, namespaces: NamespaceRequest): void {
  if (name.startsWith("net.")) {
    if (namespaces.network === "host") {
      throw new InvalidArgument(`sysctl "${name}" not allowed in host network namespace`);
    }
    return;
  }
  if (isIpcParameter(name)) {
    if (namespaces.ipc === "host") throw new InvalidArgument(`sysctl "${name}" not allowed in host ipc namespace`);
    return;
  }
  if (UTS_NAMES.has(name)) {
    if (namespaces.uts === "host") throw new InvalidArgument(`sysctl "${name}" not allowed in host uts namespace`);
    return;
  }
  throw new InvalidArgument(`sysctl "${name}" is not in a separate kernel namespace`);
}

function ownsNetwork(choice: NamespaceChoice = "private"): boolean {
  return choice === "private" || (typeof choice === "object" && choice.owned === true);
}
