import { readFileSync } from "node:fs";
import type { KubeObject } from "@boxship/api";
import { type ApiServer, type CertificateRenewal, MASTERS, type User } from "@boxship/apiserver";
import { type Logger, systemClock } from "@boxship/base";
import { type ApiClient, FollowServices, Informer, openHttpClient, persist } from "@boxship/client";
import { writeNetworkSysctl } from "@boxship/kernel";
import { filtersBridges } from "@boxship/network";
import type { ClusterDnsSettings } from "@boxship/node";
import { Balancers, HealthChecks, type LocalPlaces, Proxy } from "@boxship/proxy";
import type { ClusterOptions } from "./cluster-options.ts";
import type { HostAddresses } from "./host-addresses.ts";
import { publishOwnServices } from "./own-services.ts";
import { NAMES_LISTEN, serveNames } from "./serve-names.ts";

const USER: User = { name: "system:kube-proxy", groups: [MASTERS, "system:authenticated"] };

/** Services of the cluster on this machine. */
export interface ClusterServices extends AsyncDisposable {
  /** Resolves when services that were there at the start answer. */
  readonly ready: Promise<void>;
}

export interface StartServicesOptions {
  readonly node: string;
  /** Where the API listens. */
  readonly port: number;
  /** The same as a URL. */
  readonly server: string;
  readonly certificates: CertificateRenewal;
  readonly clusterDns: ClusterDnsSettings;
  /** @default every client counts as a pod */
  readonly podNetworks: Promise<readonly string[] | undefined>;
  /** Stays the caller's. */
  readonly addresses: HostAddresses;
  readonly logger: Logger;
}

/**
 * Serves services to pods and this machine, and tells pods where the API is. They go with {@link ClusterServices}' disposal,
 * and stay when this process is killed.
 */
export function startServices(
  options: ClusterOptions,
  api: Pick<ApiServer, "connect">,
  { node, port, server, certificates, clusterDns, podNetworks: preparing, addresses, logger }: StartServicesOptions,
): ClusterServices {
  const { criSocket, directory } = options;
  const stack = new AsyncDisposableStack();
  const ending = new AbortController();
  if (criSocket === undefined) return { ready: Promise.resolve(), [Symbol.asyncDispose]: () => stack.disposeAsync() };
  const createConnection = () => api.connect(USER);
  const client = stack.use(openHttpClient({ server: "http://in-process", createConnection, userAgent: "kube-proxy" }));
  const services = stack.use(new FollowServices({ client, logger }));
  const start = async (): Promise<void> => {
    const { signal } = ending;
    const naming = { criSocket, directory, server, certificates, clusterDns, client, services, signal, logger };
    const dnsPort = await serveNames(naming, stack);
    const publish = async (): Promise<void> => {
      const [address = ""] = addresses.of();
      await publishOwnServices(client, { address, apiPort: port, dnsPort, dnsAddress: clusterDns.address });
    };
    const tell = (): Promise<void> =>
      persist(publish, {
        clock: systemClock,
        signal: ending.signal,
        failed: (error) =>
          logger.warn("the cluster's own services cannot be told of and will be tried again", { error }),
      });
    let told = tell();
    // The end of all this ends the trying.
    stack.use(
      addresses.onChange(() => {
        told = told.then(tell).catch(() => {});
      }),
    );
    const [podNetworks] = await Promise.all([Promise.race([preparing, aborted(ending.signal)]), told]);
    const proxy = new Proxy({
      services,
      instance: options.name,
      node,
      ...(podNetworks === undefined ? {} : { podNetworks }),
      keepSources: filtersBridges(),
      local: localPlaces(options.address, port, dnsPort),
      logger,
    });
    stack.use(proxy);
    stack.use(new HealthChecks({ services, node, logger }));
    stack.use(followZone(client, node, logger, (zone) => proxy.setZone(zone)));
    const pool = options.balancerPool === undefined ? {} : { pool: options.balancerPool };
    const nodeAddresses = (): readonly string[] => addresses.of(podNetworks);
    const balancers = stack.use(new Balancers({ client, services, nodeAddresses, ...pool, logger }));
    stack.use(addresses.onChange(() => balancers.addressesChanged()));
    stack.defer(() => proxy.withdraw());
    await proxy.ready;
    // Our engine does it for its own bridges, which it guards; here the table does, which goes after it.
    if (podNetworks === undefined) stack.use(leadToLoopback());
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

/** Hears the zone of this machine's node at the start, and when it changes. */
function followZone(
  client: ApiClient,
  node: string,
  logger: Logger,
  heard: (zone: string | undefined) => void,
): AsyncDisposable {
  const collection = { group: "", version: "v1", resource: "nodes" };
  const fieldSelector = `metadata.name=${node}`;
  const nodes = new Informer<KubeObject>({ client, collection, fieldSelector, logger, clock: systemClock });
  const tell = ({ metadata }: KubeObject): void => heard(metadata.labels?.["topology.kubernetes.io/zone"]);
  nodes.handle({ added: tell, updated: tell });
  return nodes.start();
}

/** What this process serves, at addresses that no endpoint may have. */
function localPlaces(address: string, port: number, dnsPort: number): LocalPlaces {
  const here = hereOf(address);
  return new Map([
    ...(here === undefined ? [] : [["default/kubernetes tcp", { address: here, port }] as const]),
    ["kube-system/kube-dns udp", { address: NAMES_LISTEN, port: dnsPort }],
    ["kube-system/kube-dns tcp", { address: NAMES_LISTEN, port: dnsPort }],
  ]);
}

const LOOPBACK = "net.ipv4.conf.all.route_localnet";

/** Lets every link lead to what listens at the loopback address, as the services of this process do. */
function leadToLoopback(): Disposable {
  const before = readSysctl(LOOPBACK);
  if (before !== "1") writeNetworkSysctl(LOOPBACK, "1");
  return { [Symbol.dispose]: () => (before === "1" ? undefined : writeNetworkSysctl(LOOPBACK, "0")) };
}

const readSysctl = (name: string): string => readFileSync(`/proc/sys/${name.replaceAll(".", "/")}`, "utf8").trim();

/** Where the API is reached on this machine by IPv4; undefined where it is not. */
function hereOf(address: string): string | undefined {
  if (address === "0.0.0.0" || address === "::") return "127.0.0.1";
  return address.includes(":") ? undefined : address;
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(undefined), { once: true }));
}
