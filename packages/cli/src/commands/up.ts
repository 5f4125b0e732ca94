import { join, resolve } from "node:path";
import { holdClusterRecord } from "@boxship/base/cluster-record";
import { defineCommand } from "../command.ts";
import { type Context, print } from "../context.ts";
import { bool, text } from "../flags/flag.ts";
import { clusterPid, startCluster } from "../shared/cluster-process.ts";
import { stateDirectory } from "../shared/cluster-state.ts";
import { mergeIntoHome } from "../shared/merge-into-home.ts";
import { storeArguments, storeFlags } from "../shared/store-flags.ts";

/** Told to the process as absolute paths: it works elsewhere. */
const PATHS = [
  "kubeconfig",
  "audit-log-path",
  "audit-policy-file",
  "audit-webhook-config-file",
  "authentication-config",
  "authentication-token-webhook-config-file",
  "authorization-config",
  "authorization-webhook-config-file",
  "scheduler-config",
] as const;

/** Passed on as they are. */
const TEXTS = [
  "allowed-unsafe-sysctls",
  "cluster-domain",
  "cni-bin-dir",
  "cni-conf-dir",
  "eviction-hard",
  "eviction-max-pod-grace-period",
  "eviction-minimum-reclaim",
  "eviction-pressure-transition-period",
  "eviction-soft",
  "eviction-soft-grace-period",
  "load-balancer-pool",
  "pod-cidr",
  "pod-max-pids",
  "service-cidr",
  "shutdown-grace-period",
  "shutdown-grace-period-by-pod-priority",
  "shutdown-grace-period-critical-pods",
] as const;

interface NodeFlags {
  readonly "container-runtime-endpoint": string;
  readonly "no-node": boolean;
}

/** What runs the pods: our own engine, which is started beside the cluster, unless another one is named. */
async function engineOf(context: Context, flags: NodeFlags) {
  const { "container-runtime-endpoint": endpoint, "no-node": alone } = flags;
  const started: Promise<unknown> = Promise.resolve();
  if (alone) return { arguments: [], started };
  if (endpoint !== "") return { arguments: ["--container-runtime-endpoint", endpoint], started };
  // A node mounts volumes, which takes root.
  if (process.geteuid?.() !== 0) return { arguments: [], started };
  // The engine would start a cluster that is meant to be up itself, and one of the two would find the other.
  await holdClusterRecord(stateDirectory(context.instance));
  const socket = join(context.instance.runDir, "cri.sock");
  return { arguments: ["--container-runtime-endpoint", socket], started: context.api.json("GET", "/version") };
}

export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Start the Kubernetes cluster of this instance",
  flags: {
    "allowed-unsafe-sysctls": text(
      "What pods may set of the kernel's parameters beside the safe ones: names, or beginnings that end with *",
      { hint: "list" },
    ),
    "audit-log-path": text("Where audit events go (default: beside the cluster's state)", { hint: "path" }),
    "audit-policy-file": text("What is audited", { hint: "path" }),
    "audit-webhook-config-file": text("Kubeconfig of who is sent audit events, too", { hint: "path" }),
    "authentication-config": text("Issuers of OpenID Connect, and what nobody may ask for", { hint: "path" }),
    "authentication-token-webhook-config-file": text("Kubeconfig of who is asked about tokens", { hint: "path" }),
    "authorization-config": text("Who decides what somebody may do, one after the other", { hint: "path" }),
    "authorization-webhook-config-file": text("Kubeconfig of who is asked about what nobody else allows", {
      hint: "path",
    }),
    address: text("Address to listen at", { hint: "ip", initial: "127.0.0.1" }),
    kubeconfig: text("Where the administrator's kubeconfig is written", { hint: "path" }),
    "cluster-domain": text("The zone of the cluster's names (default: as before; at first cluster.local)", {
      hint: "domain",
    }),
    "cni-bin-dir": text("Directories of the CNI plugins, with commas between them (default: as the engine has them)", {
      hint: "list",
    }),
    "cni-conf-dir": text(
      "Give pods their network by the CNI configuration in this directory; none: by the engine (default: as before)",
      { hint: "path" },
    ),
    "container-runtime-endpoint": text("Socket of another engine that runs the pods, by the CRI", { hint: "path" }),
    "eviction-hard": text("What is too little of memory, disk and processes: signal<quantity or percentage", {
      hint: "list",
    }),
    "eviction-max-pod-grace-period": text("Most seconds that pods have to end at soft thresholds", { hint: "number" }),
    "eviction-minimum-reclaim": text("How much more there must be then: signal=quantity or percentage", {
      hint: "list",
    }),
    "eviction-pressure-transition-period": text("How long the node tells of a pressure afterwards (default: 5m)", {
      hint: "duration",
    }),
    "eviction-soft": text("What is too little for a while only: signal<quantity or percentage", { hint: "list" }),
    "eviction-soft-grace-period": text("How long that while is: signal=duration", { hint: "list" }),
    "load-balancer-pool": text("Addresses, networks or ranges of which services of type LoadBalancer get one each", {
      hint: "list",
    }),
    "merge-kubeconfig": bool("Also put the cluster into ~/.kube/config, as its current context"),
    "no-node": bool("Serve the API alone: no pods are run on this machine"),
    "pod-max-pids": text("Most processes of a pod; -1 for as many as the machine has (default: 4096)", {
      hint: "number",
    }),
    "pod-cidr": text(
      "Networks of pods' addresses: IPv4, or IPv4,IPv6 (default: as before; at first one that is free)",
      {
        hint: "list",
      },
    ),
    "service-cidr": text("Networks of services' addresses (default: as before; at first 10.96.0.0/16)", {
      hint: "list",
    }),
    "scheduler-config": text("Profiles of the scheduler: a KubeSchedulerConfiguration", { hint: "path" }),
    "shutdown-grace-period": text("How long a shutdown of the machine waits for pods to end (default: not at all)", {
      hint: "duration",
    }),
    "shutdown-grace-period-by-pod-priority": text("The same for each priority instead: priority=seconds", {
      hint: "list",
    }),
    "shutdown-grace-period-critical-pods": text("What critical pods have of it, at its end", { hint: "duration" }),
    ...storeFlags,
    port: text("Port to listen at; 0 for any that is free", { hint: "number", initial: "6443" }),
  },
  async run(context, { flags }) {
    const running = clusterPid(context.instance);
    if (running !== undefined) {
      print(context, `The cluster is running already (process ${running})`);
      return;
    }
    const node = await engineOf(context, flags);
    const more = PATHS.flatMap((flag) => (flags[flag] === "" ? [] : [`--${flag}`, resolve(flags[flag])]));
    const starting = startCluster(context.instance, [
      "--address",
      flags.address,
      "--port",
      flags.port,
      ...more,
      ...TEXTS.flatMap((flag) => (flags[flag] === "" ? [] : [`--${flag}`, flags[flag]])),
      ...node.arguments,
      ...storeArguments(flags),
    ]);
    const [{ server, kubeconfig }] = await Promise.all([starting, node.started]);
    print(context, `The Kubernetes API answers at ${server}`);
    if (flags["merge-kubeconfig"]) {
      const path = await mergeIntoHome(context, kubeconfig);
      print(context, `It is the current context of ${path}`);
    } else print(context, `Use it with: export KUBECONFIG=${kubeconfig}`);
  },
});
