import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { type Duplex, duplexPair } from "node:stream";
import { type ApiServer, type CertificateRenewal, MASTERS } from "@boxship/apiserver";
import { type Logger, sleep, systemClock, systemCode, writeFileAtomic } from "@boxship/base";
import { openHttpClient } from "@boxship/client";
import { connectCri } from "@boxship/cri";
import { systemBusAddress } from "@boxship/kernel";
import { type ClusterDnsSettings, NodeAgent } from "@boxship/node";
import { openMetrics } from "./cluster-metrics.ts";
import type { ClusterOptions } from "./cluster-options.ts";
import type { HostAddresses } from "./host-addresses.ts";

/** How long the start waits for what this machine does in the cluster; that goes on after it. */
const READY_MS = 10_000;

/** Nodes that are connected with the API server in this process. */
export class LocalNodes {
  readonly #agents = new Map<string, NodeAgent>();

  add(name: string, agent: NodeAgent): Disposable {
    this.#agents.set(name, agent);
    return { [Symbol.dispose]: () => void this.#agents.delete(name) };
  }

  connect(name: string): Promise<Duplex | undefined> {
    const agent = this.#agents.get(name);
    if (agent === undefined) return Promise.resolve(undefined);
    const [near, far] = duplexPair();
    agent.accept(far);
    return Promise.resolve(near);
  }
}

export interface StartNodeOptions {
  /** See {@link nodeName}. */
  readonly node: string;
  readonly server: string;
  readonly nodes: LocalNodes;
  readonly certificates: CertificateRenewal;
  readonly clusterDns: ClusterDnsSettings;
  /** @default unknown */
  readonly podNetworks: Promise<readonly string[] | undefined>;
  /** Stays the caller's. */
  readonly addresses: HostAddresses;
  readonly logger: Logger;
}

/** Announces the metrics of nodes. */
const METRICS = { name: "system:metrics", groups: [MASTERS, "system:authenticated"] };

/**
 * The node of this machine: its agent, beside the API server whose pods it runs on the engine at a socket. Resolves when it is
 * ready, or will not be soon.
 */
export async function startNode(
  { name, directory, criSocket, podMaxPids, sysctls, eviction, shutdown }: ClusterOptions,
  api: Pick<ApiServer, "connect">,
  { node, server, nodes, certificates, clusterDns, podNetworks, addresses, logger }: StartNodeOptions,
): Promise<AsyncDisposable> {
  const stack = new AsyncDisposableStack();
  if (criSocket === undefined) return stack;
  const user = { name: `system:node:${node}`, groups: ["system:nodes", "system:authenticated"] };
  const createConnection = () => api.connect(user);
  const client = stack.use(openHttpClient({ server, createConnection, userAgent: "kubelet" }));
  const cri = stack.use(connectCri(criSocket));
  const agent = stack.use(
    new NodeAgent({
      client,
      cri,
      name: node,
      addresses: (networks) => addresses.of(networks),
      podNetworks: podNetworks.then((networks) => networks ?? []),
      root: join(directory, "node"),
      cgroupParent: `/${name}/kubepods`,
      clusterDns,
      ...(podMaxPids === undefined ? {} : { podMaxPids }),
      ...(sysctls === undefined ? {} : { sysctls }),
      ...(eviction === undefined ? {} : { eviction }),
      ...(shutdown.length === 0 ? {} : { shutdown: { periods: shutdown, bus: systemBusAddress(process.env) } }),
      logger,
    }),
  );
  stack.use(addresses.onChange(() => agent.addressesChanged()));
  stack.use(nodes.add(node, agent));
  const connect = () => api.connect(METRICS);
  const metrics = stack.use(openHttpClient({ server, createConnection: connect, userAgent: "boxship-metrics" }));
  const answer = agent.answerMetrics.bind(agent);
  stack.use(openMetrics({ client: metrics, certificates, answer, logger }));
  await soon(agent.ready);
  return stack;
}

/** Resolves when something is done, or will not be soon. */
export async function soon(ready: Promise<void>): Promise<void> {
  const given = new AbortController();
  await Promise.race([ready, sleep(systemClock, READY_MS, given.signal)]).catch(() => {});
  given.abort();
}

/**
 * What the node of this machine is called: what the machine was called when the cluster had a node first. Pods and volumes
 * are bound to it by that name, whatever the machine is called later.
 *
 * @param directory the cluster's
 */
export async function nodeName(directory: string): Promise<string> {
  const path = join(directory, "node-name");
  const known = await readFile(path, "utf8").catch((error: unknown) => {
    if (systemCode(error) !== "ENOENT") throw error;
  });
  if (known !== undefined) return known.trim();
  const name = hostname().toLowerCase();
  await writeFileAtomic(path, `${name}\n`, { mode: 0o644 });
  return name;
}
