import { writeClusterRecord } from "@boxship/base/cluster-record";
import type { ClusterOptions } from "./cluster-options.ts";

/** Who starts the cluster again has to give it the same flags, and the port that clients know. */
export async function writeUpRecord(
  { directory, argv, kubeconfig }: ClusterOptions,
  { server, port }: { readonly server: string; readonly port: number },
): Promise<void> {
  const kept = argv.filter((word, at) => word !== "--port" && argv[at - 1] !== "--port" && !word.startsWith("--port="));
  await writeClusterRecord(directory, { flags: [...kept, "--port", String(port)], server, kubeconfig });
}
