import { readClusterRecord } from "@boxship/base/cluster-record";
import { loadKubeconfig, openHttpClient } from "@boxship/client";
import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { Failure } from "../failure.ts";
import { stateDirectory } from "../shared/cluster-state.ts";

export const command = defineCommand({
  usage: "",
  summary: "Make a new key for secrets at rest, and seal all of them by it",
  flags: {},
  async run(context) {
    const directory = stateDirectory(context.instance);
    const record = await readClusterRecord(directory);
    if (record === undefined) throw new Failure("the cluster is down", { remedy: "start it first: boxship up" });
    const { connection } = await loadKubeconfig(record.kubeconfig);
    await using client = openHttpClient(connection);
    const answer = (await client.postRaw("/boxship/rotate-keys", {})) as { readonly sealed?: number };
    print(context, `${answer.sealed ?? 0} secrets are sealed by a new key, the first in ${directory}/secrets.keys`);
    print(context, "The key before it stays there: snapshots that were taken with it need it");
  },
});
