import { resolve } from "node:path";
import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { bool, text } from "../flags/flag.ts";
import { clusterPid, startCluster } from "../shared/cluster-process.ts";
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
] as const;

export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Start the Kubernetes API of this instance",
  flags: {
    "audit-log-path": text("Where audit events go (default: beside the cluster's state)", { hint: "path" }),
    "audit-policy-file": text("What is audited", { hint: "path" }),
    "audit-webhook-config-file": text("Kubeconfig of who is sent audit events, too", { hint: "path" }),
    "authentication-config": text("Issuers of OpenID Connect, and what nobody may ask for", { hint: "path" }),
    "authentication-token-webhook-config-file": text("Kubeconfig of who is asked about tokens", { hint: "path" }),
    address: text("Address to listen at", { hint: "ip", initial: "127.0.0.1" }),
    kubeconfig: text("Where the administrator's kubeconfig is written", { hint: "path" }),
    "merge-kubeconfig": bool("Also put the cluster into ~/.kube/config, as its current context"),
    ...storeFlags,
    port: text("Port to listen at; 0 for any that is free", { hint: "number", initial: "6443" }),
  },
  async run(context, { flags }) {
    const running = clusterPid(context.instance);
    if (running !== undefined) {
      print(context, `The cluster is running already (process ${running})`);
      return;
    }
    const more = PATHS.flatMap((flag) => (flags[flag] === "" ? [] : [`--${flag}`, resolve(flags[flag])]));
    const { server, kubeconfig } = await startCluster(context.instance, [
      "--address",
      flags.address,
      "--port",
      flags.port,
      ...more,
      ...storeArguments(flags),
    ]);
    print(context, `The Kubernetes API answers at ${server}`);
    if (flags["merge-kubeconfig"]) {
      const path = await mergeIntoHome(context, kubeconfig);
      print(context, `It is the current context of ${path}`);
    } else print(context, `Use it with: export KUBECONFIG=${kubeconfig}`);
  },
});
