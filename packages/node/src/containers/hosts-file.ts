import { readFile } from "node:fs/promises";
import { hostnameOf } from "../pods/pod-config.ts";
import type { Pod } from "../types.ts";

const HEADER = "# Kubernetes-managed hosts file";
/** Names that every pod knows beside its own. */
const COMMON = [
  "127.0.0.1\tlocalhost",
  "::1\tlocalhost ip6-localhost ip6-loopback",
  "fe00::0\tip6-localnet",
  "fe00::0\tip6-mcastprefix",
  "fe00::1\tip6-allnodes",
  "fe00::2\tip6-allrouters",
];

/**
 * A pod's `/etc/hosts`, line by line as the kubelet writes it: tools look for its first line. One on the machine's network has the
 * machine's names; the others their own.
 *
 * @param fullName the pod's, where it has a subdomain
 */
export async function hostsFile(pod: Pod, podIPs: readonly string[], fullName: string | undefined): Promise<string> {
  const { hostAliases = [], hostNetwork = false } = pod.spec;
  const names = [...(fullName === undefined ? [] : [fullName]), hostnameOf(pod)].join("\t");
  const basis = hostNetwork
    ? `${HEADER} (host network).\n${await readFile("/etc/hosts", "utf8")}`
    : lines(`${HEADER}.`, ...COMMON, ...podIPs.map((ip) => `${ip}\t${names}`));
  if (hostAliases.length === 0) return basis;
  const aliases = hostAliases.map(({ ip, hostnames = [] }) => `${ip}\t${hostnames.join("\t")}`);
  return basis + lines("", "# Entries added by HostAliases.", ...aliases);
}

const lines = (...all: readonly string[]): string => all.map((line) => `${line}\n`).join("");
