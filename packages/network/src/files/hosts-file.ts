import type { ExtraHost } from "../contract.ts";

export interface HostsEntry {
  readonly address: string;
  readonly names: readonly string[];
}

const LOCALHOST: readonly HostsEntry[] = [
  { address: "127.0.0.1", names: ["localhost"] },
  { address: "::1", names: ["localhost", "ip6-localhost", "ip6-loopback"] },
  { address: "fe00::", names: ["ip6-localnet"] },
  { address: "ff00::", names: ["ip6-mcastprefix"] },
  { address: "ff02::1", names: ["ip6-allnodes"] },
  { address: "ff02::2", names: ["ip6-allrouters"] },
];

/** An /etc/hosts (hosts(5)): localhost, then what is given, in the order Docker has. */
export function formatHosts(entries: readonly HostsEntry[]): string {
  return formatEntries([...LOCALHOST, ...entries]);
}

/** Lines to put behind a hosts file that is there. */
export function formatEntries(entries: readonly HostsEntry[]): string {
  return entries.map(({ address, names }) => `${address}\t${names.join(" ")}\n`).join("");
}

/** Extra hosts as entries; `host-gateway` becomes each of the gateway's addresses. */
export function extraEntries(hosts: readonly ExtraHost[], gateway: readonly string[]): HostsEntry[] {
  return hosts.flatMap(({ name, address }) => {
    const addresses = address === "host-gateway" ? gateway : [address];
    return addresses.map((each) => ({ address: each, names: [name] }));
  });
}
