import { type ApiServer, MASTERS, type User } from "@boxship/apiserver";
import { type Logger, systemClock } from "@boxship/base";
import { FollowServices, openHttpClient, persist } from "@boxship/client";
import { connectCri } from "@boxship/cri";
import { ClusterDns } from "@boxship/dns";
import { filtersBridges } from "@boxship/network";
import { Balancers, type LocalPlaces, Proxy } from "@boxship/proxy";
import { nodeName, ownAddress } from "./cluster-node.ts";
import type { ClusterOptions } from "./cluster-options.ts";
import { CLUSTER_DNS, publishOwnServices } from "./own-services.ts";

const USER: User = { name: "system:kube-proxy", groups: [MASTERS, "system:authenticated"] };
const FIRST_WAIT_MS = 20;
const DNS_LISTENS = "127.0.0.1";

/** Services of the cluster on this machine. */
export interface ClusterServices extends AsyncDisposable {
  /** Resolves when services that were there at the start answer. */
  readonly ready: Promise<void>;
}

/**
 * Serves services to pods and this machine, and tells pods where the API is. They go with {@link ClusterServices}' disposal,
 * and stay when this process is killed.
 *
 * @param port where the API listens
 */
export function startServices(
  options: ClusterOptions,
  api: Pick<ApiServer, "connect">,
  { port, logger }: { readonly port: number; readonly logger: Logger },
): ClusterServices {
  const { criSocket } = options;
  const stack = new AsyncDisposableStack();
  const ending = new AbortController();
  if (criSocket === undefined) return { ready: Promise.resolve(), [Symbol.asyncDispose]: () => stack.disposeAsync() };
  const createConnection = () => api.connect(USER);
  const client = stack.use(openHttpClient({ server: "http://in-process", createConnection, userAgent: "kube-proxy" }));
  const services = stack.use(new FollowServices({ client, logger }));
  const dns = stack.use(
    new ClusterDns({
      client,
      services,
      zone: CLUSTER_DNS.domain,
      serviceAddress: CLUSTER_DNS.address,
      address: DNS_LISTENS,
      logger,
    }),
  );
  const start = async (): Promise<void> => {
    const own = { address: ownAddress(), apiPort: port, dnsPort: dns.port };
    const [podNetworks] = await Promise.all([
      podNetworksOf(criSocket, ending.signal),
      persist(() => publishOwnServices(client, own), {
        clock: systemClock,
        signal: ending.signal,
        failed: (error) =>
          logger.warn("the cluster's own services cannot be told of and will be tried again", { error }),
      }),
      dns.ready,
    ]);
    const proxy = new Proxy({
      services,
      instance: options.name,
      node: nodeName(),
      ...(podNetworks === undefined ? {} : { podNetworks }),
      keepSources: filtersBridges(),
      local: localPlaces(options.address, port, dns),
      logger,
    });
    stack.use(proxy);
    const pool = options.balancerPool === undefined ? {} : { pool: options.balancerPool };
    stack.use(new Balancers({ client, services, nodeAddress: ownAddress(), ...pool, logger }));
    stack.defer(() => proxy.withdraw());
    await proxy.ready;
  };
  const ready = start();
  ready.catch((error: unknown) => {
    if (!ending.signal.aborted) logger.error("services cannot be served", { error });
  });
  return {
    ready,
    async [Symbol.asyncDispose]() {
      ending.abort();
      await ready.catch(() => {});
      await stack.disposeAsync();
    },
  };
}

/** What this process serves, at addresses that no endpoint may have. */
function localPlaces(address: string, port: number, dns: ClusterDns): LocalPlaces {
  const here = hereOf(address);
  return new Map([
    ...(here === undefined ? [] : [["default/kubernetes tcp", { address: here, port }] as const]),
    ["kube-system/kube-dns udp", { address: DNS_LISTENS, port: dns.port }],
    ["kube-system/kube-dns tcp", { address: DNS_LISTENS, port: dns.port }],
  ]);
}

/** Where the API is reached on this machine by IPv4; undefined where it is not. */
function hereOf(address: string): string | undefined {
  if (address === "0.0.0.0" || address === "::") return "127.0.0.1";
  return address.includes(":") ? undefined : address;
}

/** What our engine tells of the network of its pods; others do not, and every client counts as a pod then. */
async function podNetworksOf(socket: string, signal: AbortSignal): Promise<readonly string[] | undefined> {
  await using cri = connectCri(socket);
  const ask = async (): Promise<readonly string[] | undefined> => {
    const { info } = await cri.status({ verbose: true });
    const told = info["podNetworks"];
    return told === undefined ? undefined : (JSON.parse(told) as string[]);
  };
  // Engine and cluster are often started together.
  return await persist(ask, { clock: systemClock, signal, base: FIRST_WAIT_MS, most: 1000 });
}
