import { readIfPresent } from "@boxship/base";
import type { DnsSettings, ExtraHost } from "../contract.ts";
import { extraEntries, formatEntries, formatHosts, type HostsEntry } from "../files/hosts-file.ts";
import { containerResolvers, formatResolvConf, internalResolvers } from "../files/resolv-conf.ts";
import { type LiveSandbox, type ManagerContext, networkOf, requireSandbox } from "../live.ts";
import type { StoredEndpoint, StoredSandbox } from "../state/stored.ts";
import { ResolverAddress } from "../worker/namespace-operations.ts";

/** The /etc/resolv.conf of a container as its networks are now. */
export function sandboxResolvConf(context: ManagerContext, id: string): string {
  const { stored } = requireSandbox(context, id);
  const internal = stored.endpoints.some((endpoint) => networkOf(context, endpoint).hasNames);
  const configuration = internal
    ? internalResolvers(context.hostResolvConf, stored.dns, ResolverAddress)
    : containerResolvers(context.hostResolvConf, givenDns(stored));
  return formatResolvConf(configuration);
}

/** What plugins said counts where the container itself asks for nothing. */
function givenDns({ dns, endpoints }: StoredSandbox): DnsSettings {
  if ([dns.servers, dns.search, dns.options].some((given) => given !== undefined && given.length > 0)) return dns;
  return {
    servers: endpoints.flatMap(({ nameservers = [] }) => nameservers),
    search: endpoints.flatMap(({ search = [] }) => search),
    options: endpoints.flatMap(({ resolverOptions = [] }) => resolverOptions),
  };
}

/** The /etc/hosts of a container as its networks are now. */
export function sandboxHostsFile(context: ManagerContext, id: string): string {
  const sandbox = requireSandbox(context, id);
  const { stored } = sandbox;
  return formatHosts([
    ...extraEntries(stored.extraHosts, hostGateway(context)),
    ...stored.endpoints.flatMap((endpoint) => linkEntries(context, endpoint)),
    ...stored.endpoints.flatMap((endpoint) => ownEntries(sandbox, endpoint)),
  ]);
}

/** The host's own hosts file with extra hosts behind it, for containers on the host's network. */
export function hostHostsFile(context: ManagerContext, extraHosts: readonly ExtraHost[]): string {
  return readHostFile("/etc/hosts") + formatEntries(extraEntries(extraHosts, hostGateway(context)));
}

/** The host's own resolver configuration. */
export function hostResolvConf(context: ManagerContext): string {
  return readHostFile(context.hostResolvConf);
}

function readHostFile(path: string): string {
  const text = readIfPresent(path) ?? "";
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}

function ownEntries({ stored }: LiveSandbox, { ipv4, ipv6 }: StoredEndpoint): HostsEntry[] {
  const { hostname, domainname } = stored;
  const names = domainname === undefined || domainname === "" ? [hostname] : [`${hostname}.${domainname}`, hostname];
  return [ipv4, ipv6].flatMap((address) => (address === undefined ? [] : [{ address: address.address, names }]));
}

/** On networks without names, links of old (`--link`) are lines of this file. */
function linkEntries(context: ManagerContext, endpoint: StoredEndpoint): HostsEntry[] {
  const network = networkOf(context, endpoint);
  if (network.hasNames) return [];
  return endpoint.links.flatMap(({ target, alias }) => {
    const other = [...network.endpoints.values()].find(
      ({ name, sandboxId }) => name === target || sandboxId === target,
    );
    if (other === undefined) return [];
    const hostname = context.sandboxes.get(other.sandboxId)?.stored.hostname ?? other.name;
    const names = [...new Set([alias, hostname, other.name])];
    return [other.ipv4, other.ipv6].flatMap((address) => {
      return address === undefined ? [] : [{ address: address.address, names }];
    });
  });
}

/** The host as containers see it: the gateway addresses of the default bridge. */
export function hostGateway(context: ManagerContext): string[] {
  for (const { record } of context.networks.values()) {
    if (!record.predefined || record.driver !== "bridge") continue;
    return record.ipam.config.flatMap(({ gateway }) => gateway ?? []);
  }
  return [];
}
