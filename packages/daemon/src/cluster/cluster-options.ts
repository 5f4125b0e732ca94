import { isIP } from "node:net";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { asBoxshipError, InvalidArgument } from "@boxship/base";
import {
  DEFAULT_INSTANCE,
  INSTANCE_NAME_RULE,
  instanceDirectories,
  isInstanceName,
} from "@boxship/base/instance-directories";
import {
  type EvictionSettings,
  parseEviction,
  parseShutdown,
  type ShutdownPeriod,
  SysctlAllowlist,
} from "@boxship/node";
import { parseBalancerPool } from "@boxship/proxy";
import { parseStoreChoice, type StoreChoice } from "@boxship/store";
import { type AskedNetwork, parseDomain, parseNetworks, parsePlugins } from "./cluster-network.ts";

/** What a cluster's process is started with. */
export interface ClusterOptions {
  readonly name: string;
  /** Everything that is durable: below the instance's root. */
  readonly directory: string;
  readonly runDir: string;
  /** An address of this host. @default 127.0.0.1 */
  readonly address: string;
  /** 0: any that is free. @default 6443 */
  readonly port: number;
  /** Where the administrator's kubeconfig is written. */
  readonly kubeconfig: string;
  /** An `AuthenticationConfiguration`. @default none */
  readonly authenticationFile?: string;
  /** An audit policy. @default nothing is audited */
  readonly auditPolicy?: string;
  /** Where audit events go. @default `audit.log` beside the cluster's state */
  readonly auditLog: string;
  /** A kubeconfig of who is sent audit events, too. @default nobody */
  readonly auditWebhook?: string;
  /** A `KubeSchedulerConfiguration`. @default upstream's default profile */
  readonly schedulerConfig?: string;
  /** A kubeconfig of who is asked about tokens. @default nobody */
  readonly tokenWebhook?: string;
  /** A kubeconfig of who is asked about what nobody else has allowed. @default nobody */
  readonly authorizationWebhook?: string;
  /** An `AuthorizationConfiguration`. @default nodes' access, roles, and the webhook */
  readonly authorizationFile?: string;
  /** Where the state is. @default where it was before; at first in SQLite */
  readonly store?: StoreChoice;
  /** The socket of the engine that runs pods on this machine, by the CRI. @default no pods are run here */
  readonly criSocket?: string;
  /** What is asked for of its addresses and names. */
  readonly network: AskedNetwork;
  /** Addresses of which services of type LoadBalancer get one each. @default they share this machine's */
  readonly balancerPool?: readonly string[];
  /** Most processes and threads of a pod; -1 for as many as the machine has. @default 4096 */
  readonly podMaxPids?: number;
  /** What pods may set of the kernel's parameters. @default the safe ones */
  readonly sysctls?: SysctlAllowlist;
  /** When pods have to go. @default the usual thresholds */
  readonly eviction?: EvictionSettings;
  /** What pods have to end before the machine goes down, by rising priority. @default none: they end with it */
  readonly shutdown: readonly ShutdownPeriod[];
  /** The flags, to start it again by. */
  readonly argv: readonly string[];
}

/** @throws InvalidArgument naming the flag */
export function parseClusterOptions(argv: readonly string[]): ClusterOptions {
  const flags = parseFlags(argv);
  const name = flags.name ?? DEFAULT_INSTANCE;
  if (!isInstanceName(name)) {
    throw new InvalidArgument(`invalid instance name "${name}"`, { remedy: INSTANCE_NAME_RULE });
  }
  const defaults = instanceDirectories(name, { env: process.env });
  const directory = join(resolve(flags.root ?? defaults.root), "cluster");
  const address = flags.address ?? "127.0.0.1";
  if (isIP(address) === 0) throw new InvalidArgument(`--address ${JSON.stringify(address)} is no IP address`);
  const port = Number(flags.port ?? 6443);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new InvalidArgument(`--port ${JSON.stringify(flags.port)} is no port`);
  }
  if (flags["authorization-config"] !== undefined && flags["authorization-webhook-config-file"] !== undefined) {
    throw new InvalidArgument(
      "--authorization-config can not be specified when --authorization-webhook-config-file is: name the webhook in the configuration",
    );
  }
  const store = parseStoreChoice({
    store: flags.store,
    endpoints: flags["etcd-endpoints"]?.split(",").filter((endpoint) => endpoint !== ""),
    ca: flags["etcd-ca"],
    cert: flags["etcd-cert"],
    key: flags["etcd-key"],
  });
  const eviction = parseEviction(flags);
  const isDefault = name === DEFAULT_INSTANCE && flags.root === undefined && process.geteuid?.() === 0;
  const own = isDefault ? "/etc/boxship/admin.kubeconfig" : join(directory, "admin.kubeconfig");
  return {
    name,
    directory,
    runDir: resolve(flags["run-dir"] ?? defaults.runDir),
    address,
    port,
    kubeconfig: resolve(flags.kubeconfig ?? own),
    network: askedNetwork(flags),
    ...optional("auditPolicy", flags["audit-policy-file"]),
    auditLog: resolve(flags["audit-log-path"] ?? join(directory, "audit.log")),
    ...optional("auditWebhook", flags["audit-webhook-config-file"]),
    ...optional("authenticationFile", flags["authentication-config"]),
    ...optional("criSocket", flags["container-runtime-endpoint"]?.replace(/^unix:\/\//, "")),
    ...optional("tokenWebhook", flags["authentication-token-webhook-config-file"]),
    ...optional("authorizationWebhook", flags["authorization-webhook-config-file"]),
    ...optional("authorizationFile", flags["authorization-config"]),
    ...optional("schedulerConfig", flags["scheduler-config"]),
    ...(flags["load-balancer-pool"] === undefined
      ? {}
      : { balancerPool: parseBalancerPool(flags["load-balancer-pool"]) }),
    ...(flags["pod-max-pids"] === undefined ? {} : { podMaxPids: podMaxPids(flags["pod-max-pids"]) }),
    ...(flags["allowed-unsafe-sysctls"] === undefined
      ? {}
      : { sysctls: allowedSysctls(flags["allowed-unsafe-sysctls"]) }),
    ...(eviction === undefined ? {} : { eviction }),
    shutdown: parseShutdown(flags),
    ...(store === undefined ? {} : { store }),
    argv,
  };
}

function askedNetwork(flags: ReturnType<typeof parseFlags>): AskedNetwork {
  const { "pod-cidr": pods, "service-cidr": services, "cluster-domain": domain } = flags;
  const { "cni-conf-dir": configurations, "cni-bin-dir": programs } = flags;
  return {
    ...(pods === undefined ? {} : { pods: parseNetworks("pod-cidr", pods) }),
    ...(services === undefined ? {} : { services: parseNetworks("service-cidr", services) }),
    ...(domain === undefined ? {} : { domain: parseDomain(domain) }),
    ...(configurations === undefined && programs === undefined
      ? {}
      : { plugins: parsePlugins(configurations, programs) }),
  };
}

function optional(field: string, path: string | undefined): object {
  return path === undefined ? {} : { [field]: resolve(path) };
}

function podMaxPids(text: string): number {
  const most = Number(text);
  if (Number.isSafeInteger(most) && (most > 0 || most === -1)) return most;
  throw new InvalidArgument(`--pod-max-pids ${JSON.stringify(text)} is no number of processes`);
}

function allowedSysctls(list: string): SysctlAllowlist {
  try {
    return new SysctlAllowlist(list.split(",").filter((one) => one !== ""));
  } catch (cause) {
    const { message, remedy } = asBoxshipError(cause);
    throw new InvalidArgument(`--allowed-unsafe-sysctls: ${message}`, {
      cause,
      ...(remedy === undefined ? {} : { remedy }),
    });
  }
}

function parseFlags(argv: readonly string[]) {
  try {
    const option = { type: "string" } as const;
    return parseArgs({
      args: [...argv],
      strict: true,
      allowPositionals: false,
      options: {
        name: option,
        "allowed-unsafe-sysctls": option,
        root: option,
        "run-dir": option,
        address: option,
        port: option,
        kubeconfig: option,
        "container-runtime-endpoint": option,
        "audit-policy-file": option,
        "audit-log-path": option,
        "audit-webhook-config-file": option,
        "authentication-config": option,
        "authentication-token-webhook-config-file": option,
        "authorization-config": option,
        "authorization-webhook-config-file": option,
        "cluster-domain": option,
        "cni-bin-dir": option,
        "cni-conf-dir": option,
        "eviction-hard": option,
        "eviction-max-pod-grace-period": option,
        "eviction-minimum-reclaim": option,
        "eviction-pressure-transition-period": option,
        "eviction-soft": option,
        "eviction-soft-grace-period": option,
        "load-balancer-pool": option,
        "pod-max-pids": option,
        "pod-cidr": option,
        "service-cidr": option,
        "scheduler-config": option,
        "shutdown-grace-period": option,
        "shutdown-grace-period-by-pod-priority": option,
        "shutdown-grace-period-critical-pods": option,
        store: option,
        "etcd-endpoints": option,
        "etcd-ca": option,
        "etcd-cert": option,
        "etcd-key": option,
      },
    }).values;
  } catch (error) {
    throw new InvalidArgument(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
