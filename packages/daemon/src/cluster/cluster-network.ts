import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { DEFAULT_SERVICE_NETWORKS, ServiceNetworks } from "@boxship/apiserver";
import { FailedPrecondition, InvalidArgument, systemCode, Unsupported, writeFileAtomic } from "@boxship/base";
import { formatPrefix, overlaps, type Prefix, parsePrefix } from "@boxship/network/prefix";

/** The addresses and the names of a cluster. */
export interface ClusterNetwork {
  /** Networks of services' addresses: IPv4, and IPv6 where there is a second. */
  readonly services: readonly string[];
  /** Networks of pods' addresses, of the same families. @default the engine's choice, of IPv4 */
  readonly pods?: readonly string[];
  /** Who gives pods their addresses. @default the engine */
  readonly plugins?: PodPlugins;
  /** The zone of its names. */
  readonly domain: string;
}

/** CNI plugins that give pods their network. */
export interface PodPlugins {
  /** Of their configurations. */
  readonly directory: string;
  /** Where their programs are. @default those of the engine's configuration */
  readonly programs?: readonly string[];
}

/** What was asked for; what is left out is as it was before. */
export type AskedNetwork = Partial<Omit<ClusterNetwork, "plugins">> & {
  /** `none`: the engine again. */
  readonly plugins?: PodPlugins | "none";
};

const DEFAULT: ClusterNetwork = { services: DEFAULT_SERVICE_NETWORKS, domain: "cluster.local" };
/** The place of the name server among the addresses of services. */
const DNS_PLACE = 10;

/** Addresses of the cluster's own services. */
export function ownServiceAddresses({ services }: ClusterNetwork): { readonly api: string; readonly dns: string } {
  const networks = new ServiceNetworks(services);
  return { api: networks.at(1), dns: networks.at(DNS_PLACE) };
}

/** @param text networks with commas between them. @throws InvalidArgument, Unsupported naming the flag */
export function parseNetworks(flag: string, text: string): readonly string[] {
  const networks = text.split(",").map((part) => part.trim());
  const [first, second, ...more] = networks.map((network) => parse(flag, network));
  if (first?.family === 6) {
    throw new Unsupported(`--${flag} ${text}: a cluster whose first network is of IPv6 is not supported`, {
      remedy: "name a network of IPv4 first, and one of IPv6 behind it for both",
    });
  }
  if (more.length > 0 || second?.family === 4) {
    throw new InvalidArgument(`--${flag} ${text}: there is one network of IPv4, and one of IPv6 at most`);
  }
  return [first, second].flatMap((network) => (network === undefined ? [] : formatPrefix(network)));
}

function parse(flag: string, text: string): Prefix {
  try {
    return parsePrefix(text);
  } catch (cause) {
    throw new InvalidArgument(`--${flag} ${JSON.stringify(text)} is no network`, {
      cause,
      remedy: "write an address and a prefix length, such as 10.244.0.0/16",
    });
  }
}

/** @param programs directories with commas between them. @throws InvalidArgument naming the flag */
export function parsePlugins(directory: string | undefined, programs: string | undefined): PodPlugins | "none" {
  if (directory === undefined || (directory === "none" && programs !== undefined)) {
    throw new InvalidArgument("--cni-bin-dir needs --cni-conf-dir", {
      remedy: "name the directory of CNI configurations, too: --cni-conf-dir /etc/cni/net.d",
    });
  }
  if (directory === "none") return "none";
  return {
    directory: absolutePath("cni-conf-dir", directory),
    ...(programs === undefined
      ? {}
      : { programs: programs.split(",").map((path) => absolutePath("cni-bin-dir", path.trim())) }),
  };
}

function absolutePath(flag: string, path: string): string {
  if (path.startsWith("/") && !path.includes(":")) return path;
  throw new InvalidArgument(`--${flag} ${JSON.stringify(path)} is no absolute path without a colon`);
}

/** @throws InvalidArgument for what is no name of a domain */
export function parseDomain(text: string): string {
  const name = text.toLowerCase().replace(/\.$/, "");
  const labels = name.split(".");
  if (name.length <= 200 && labels.every((label) => /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(label))) return name;
  throw new InvalidArgument(`--cluster-domain ${JSON.stringify(text)} is no name of a domain`);
}

/**
 * The network of a cluster: what is asked for at its first start, and the same ever after. Services keep their addresses, so
 * that later only the second family can be added.
 *
 * @throws FailedPrecondition where it would be another one
 */
export async function settleNetwork(directory: string, asked: AskedNetwork, name: string): Promise<ClusterNetwork> {
  const before = await readNetwork(directory);
  const pods = asked.pods ?? before?.pods;
  const plugins = asked.plugins ?? before?.plugins;
  const network: ClusterNetwork = {
    services: asked.services ?? before?.services ?? DEFAULT.services,
    domain: asked.domain ?? before?.domain ?? DEFAULT.domain,
    ...(pods === undefined ? {} : { pods }),
    ...(plugins === undefined || plugins === "none" ? {} : { plugins }),
  };
  check(network);
  if (before !== undefined) refuseOther(before, network, name);
  if (JSON.stringify(before) !== JSON.stringify(network)) {
    await writeFileAtomic(pathOf(directory), `${JSON.stringify(network)}\n`, { mode: 0o600 });
  }
  return network;
}

const pathOf = (directory: string): string => join(directory, "network.json");

async function readNetwork(directory: string): Promise<ClusterNetwork | undefined> {
  try {
    return JSON.parse(await readFile(pathOf(directory), "utf8")) as ClusterNetwork;
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
  // One that is older than the choice.
  return await access(join(directory, "pki")).then(
    () => DEFAULT,
    () => undefined,
  );
}

function check({ services, pods = [] }: ClusterNetwork): void {
  if (services.length === 2 && pods.length < 2) {
    throw new InvalidArgument("services of IPv6 need pods of IPv6", {
      remedy: "name networks of both families for pods, too: --pod-cidr 10.244.0.0/16,fd00:10:244::/56",
    });
  }
  for (const pod of pods.map(parsePrefix)) {
    const other = services.map(parsePrefix).find((service) => overlaps(service, pod));
    if (other === undefined) continue;
    throw new InvalidArgument(`network ${formatPrefix(pod)} of pods overlaps with ${formatPrefix(other)} of services`);
  }
}

function refuseOther(before: ClusterNetwork, now: ClusterNetwork, name: string): void {
  const kept = before.services.every((network, index) => network === now.services[index]);
  if (kept && before.domain === now.domain) return;
  const [what, which] = kept ? ["names", before.domain] : ["services", before.services.join(",")];
  throw new FailedPrecondition(`the ${what} of this cluster are of ${which}`, {
    subject: { kind: "cluster", name },
    remedy: "leave the flag out, or make another cluster: an instance with another --name has its own",
  });
}
