import { InvalidArgument } from "@boxship/base";
import type { Pod } from "../types.ts";

/** Those that reach no further than the pod: upstream's safe ones. */
const SAFE = [
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.ping_group_range",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
  "net.ipv4.tcp_rmem",
  "net.ipv4.tcp_wmem",
];

const IPC_NAMES = ["kernel.sem", "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced"];
const IPC_MESSAGES = ["kernel.msgmax", "kernel.msgmnb", "kernel.msgmni"];
/** What stands for several: `kernel.shm*`. */
const IPC_PREFIXES = ["kernel.shm", "kernel.msg"];
const IPC: ReadonlySet<string> = new Set([...IPC_NAMES, ...IPC_MESSAGES, ...IPC_PREFIXES]);

type Namespace = "Net" | "IPC";

/** @param name with dots, or the part before its `*` */
function namespaceOf(name: string): Namespace | undefined {
  if (name.startsWith("net.")) return "Net";
  return IPC.has(name) || name.startsWith("fs.mqueue.") ? "IPC" : undefined;
}

/** Names may have slashes instead of dots, and then dots instead of slashes. */
function normalize(name: string): string {
  const [separator] = /[./]/.exec(name) ?? [];
  return separator === "/" ? name.replaceAll(/[./]/g, (one) => (one === "/" ? "." : "/")) : name;
}

const MOST_NAME = 253;
const SEGMENT = "[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?";
const PATTERN = new RegExp(`^(?:${SEGMENT}[./])*(?:[a-z0-9][-_a-z0-9]*)?[a-z0-9*]$`);

/** What pods may set of the kernel's parameters on this node, beside the safe ones. */
export class SysctlAllowlist {
  readonly #exact: ReadonlyMap<string, Namespace>;
  readonly #prefixes: ReadonlyMap<string, Namespace>;

  /** @param unsafe names, or beginnings that end with `*` @throws InvalidArgument in the kubelet's words */
  constructor(unsafe: readonly string[] = []) {
    const exact = new Map<string, Namespace>();
    const prefixes = new Map<string, Namespace>();
    for (const pattern of [...SAFE, ...unsafe]) {
      if (pattern.length > MOST_NAME || !PATTERN.test(pattern)) {
        throw new InvalidArgument(`sysctl ${JSON.stringify(pattern)} is no name of a kernel parameter`, {
          remedy: "name it as in kernel.msgmax, or the beginning of several as in net.core.*",
        });
      }
      const [name = "", ...rest] = normalize(pattern).split("*");
      const namespace = namespaceOf(name);
      if (namespace === undefined) {
        throw new InvalidArgument(`the sysctls ${JSON.stringify(name)} are not known to be namespaced`);
      }
      (rest.length > 0 ? prefixes : exact).set(name, namespace);
    }
    this.#exact = exact;
    this.#prefixes = prefixes;
  }

  /** Why a pod that sets others is not begun, as the kubelet says it; undefined where it may be. */
  rejection({ spec }: Pod): { readonly reason: string; readonly message: string } | undefined {
    const { hostNetwork, hostIPC, securityContext: { sysctls = [] } = {} } = spec;
    for (const { name } of sysctls) {
      const quoted = JSON.stringify(normalize(name));
      const namespace = this.#allowed(normalize(name));
      const shared = namespace === "Net" ? hostNetwork : hostIPC;
      if (namespace !== undefined && shared !== true) continue;
      const why = namespace === undefined ? "not allowlisted" : `not allowed with host ${namespace} enabled`;
      return { reason: "SysctlForbidden", message: `forbidden sysctl: ${quoted} ${why}` };
    }
    return undefined;
  }

  #allowed(name: string): Namespace | undefined {
    const exact = this.#exact.get(name);
    if (exact !== undefined) return exact;
    return [...this.#prefixes].find(([prefix]) => name.startsWith(prefix))?.[1];
  }
}
