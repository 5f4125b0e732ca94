import { join } from "node:path";
import { type CertificateRenewal, type ClusterCertificates, kubeconfig } from "@boxship/apiserver";
import { type Logger, writeFileIfOther } from "@boxship/base";
import type { ApiClient, FollowServices } from "@boxship/client";
import { ClusterDns } from "@boxship/dns";
import type { ClusterDnsSettings } from "@boxship/node";
import { NamesClient } from "./names-service.ts";

export const NAMES_LISTEN = "127.0.0.1";

/** How long an engine that does not answer is waited for with a new certificate, until it is tried again. */
const RENEWAL_MS = 30_000;

export interface ServeNamesOptions {
  readonly criSocket: string;
  /** Of the cluster. */
  readonly directory: string;
  readonly server: string;
  readonly certificates: CertificateRenewal;
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
  const names = new NamesClient(criSocket);
  const serve = async (current: ClusterCertificates, ending: AbortSignal): Promise<number | undefined> => {
    const config = kubeconfig({ name: "names", server, certificates: current });
    await writeFileIfOther(path, config, { mode: 0o600 });
    return await names.serve({ kubeconfig: path, zone: domain, serviceAddress: address }, ending);
  };
  const port = await serve(certificates.current, signal);
  if (port !== undefined) {
    const inTime = (): AbortSignal => AbortSignal.any([signal, AbortSignal.timeout(RENEWAL_MS)]);
    let served = certificates.current.admin.certificate;
    stack.use(
      certificates.use(async (renewed) => {
        // The server has a new one with each address of the machine, such as a bridge's; the administrator has not.
        if (renewed.admin.certificate === served) return;
        await serve(renewed, inTime());
        served = renewed.admin.certificate;
      }),
    );
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
