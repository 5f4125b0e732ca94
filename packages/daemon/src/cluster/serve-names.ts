import { join } from "node:path";
import { type ClusterCertificates, kubeconfig } from "@boxship/apiserver";
import { type Logger, writeFileAtomic } from "@boxship/base";
import type { ApiClient, FollowServices } from "@boxship/client";
import { ClusterDns } from "@boxship/dns";
import type { ClusterDnsSettings } from "@boxship/node";
import { NamesClient } from "./names-service.ts";

export const NAMES_LISTEN = "127.0.0.1";

export interface ServeNamesOptions {
  readonly criSocket: string;
  /** Of the cluster. */
  readonly directory: string;
  readonly server: string;
  readonly certificates: ClusterCertificates;
  readonly clusterDns: ClusterDnsSettings;
  /** Stays the caller's. */
  readonly client: ApiClient;
  /** Stays the caller's. */
  readonly services: FollowServices;
  readonly signal: AbortSignal;
  readonly logger: Logger;
}

/**
 * Has the cluster's names answered: by our engine, which goes on with it when this process is killed; where the engine is
 * another, here. Resolves when the names are known, to the port on {@link NAMES_LISTEN}. They go with the stack.
 */
export async function serveNames(options: ServeNamesOptions, stack: AsyncDisposableStack): Promise<number> {
  const { criSocket, directory, server, certificates, clusterDns, client, services, signal, logger } = options;
  const { address, domain } = clusterDns;
  const path = join(directory, "names.kubeconfig");
  await writeFileAtomic(path, kubeconfig({ name: "names", server, certificates }), { mode: 0o600 });
  const names = new NamesClient(criSocket);
  const port = await names.serve({ kubeconfig: path, zone: domain, serviceAddress: address }, signal);
  if (port !== undefined) {
    stack.defer(() =>
      // It has gone before us: there is nothing left to end.
      names.end().catch((error: unknown) => logger.debug("the engine cannot be told to end the names", { error })),
    );
    return port;
  }
  const dns = new ClusterDns({
    client,
    services,
    zone: domain,
    serviceAddress: address,
    address: NAMES_LISTEN,
    logger,
  });
  stack.use(dns);
  await dns.ready;
  return dns.port;
}
