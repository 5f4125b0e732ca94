import { readIfPresent } from "@boxship/base";
import type { DnsSettings } from "../contract.ts";

/** What a resolver configuration says (resolv.conf(5)). */
export interface ResolverConfiguration {
  readonly servers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}

const EMPTY: ResolverConfiguration = { servers: [], search: [], options: [] };
/** Where systemd-resolved keeps the servers that its own address on loopback stands for. */
const BEHIND_RESOLVED = "/run/systemd/resolve/resolv.conf";
/** What Docker falls back to when the host names no server that a container could reach. */
const PUBLIC_SERVERS = ["8.8.8.8", "8.8.4.4"];

export function parseResolvConf(text: string): ResolverConfiguration {
  const servers: string[] = [];
  const options: string[] = [];
  let search: readonly string[] = [];
  for (const line of text.split("\n")) {
    const [keyword, ...values] = line
      .replace(/[#;].*$/, "")
      .trim()
      .split(/\s+/);
    if (keyword === "nameserver" && values[0] !== undefined) servers.push(values[0]);
    if (keyword === "options") options.push(...values);
    if (keyword === "search" || keyword === "domain") search = values;
  }
  return { servers, search, options };
}

/** The host's own configuration; an absent file is an empty one. */
export function readHostResolvers(path: string): ResolverConfiguration {
  const text = readIfPresent(path);
  return text === undefined ? EMPTY : parseResolvConf(text);
}

/** Whether an address of a server means the machine itself, so that a container would ask itself. */
export function isLoopback(server: string): boolean {
  return server.startsWith("127.") || server === "::1" || server.startsWith("::ffff:127.") || server === "0.0.0.0";
}

/**
 * The configuration for containers without a resolver of ours: what the container was given, else the host's, without
 * servers that only the host can reach.
 */
export function containerResolvers(path: string, given: DnsSettings): ResolverConfiguration {
  const host = readHostResolvers(path);
  return {
    servers: given.servers?.length ? given.servers : reachableServers(host),
    search: searchDomains(host, given),
    options: given.options?.length ? given.options : host.options,
  };
}

function reachableServers(host: ResolverConfiguration): readonly string[] {
  const reachable = host.servers.filter((server) => !isLoopback(server));
  if (reachable.length > 0) return reachable;
  const behind = readHostResolvers(BEHIND_RESOLVED).servers.filter((server) => !isLoopback(server));
  return behind.length > 0 ? behind : PUBLIC_SERVERS;
}

/** The configuration for containers that ask our resolver. */
export function internalResolvers(path: string, given: DnsSettings, resolver: string): ResolverConfiguration {
  const host = readHostResolvers(path);
  const options = given.options?.length ? given.options : host.options;
  // Names of containers have no dots, and must be tried as they are before search domains are put behind.
  const hasDots = options.some((option) => option.startsWith("ndots:"));
  return {
    servers: [resolver],
    search: searchDomains(host, given),
    options: hasDots ? options : [...options, "ndots:0"],
  };
}

function searchDomains(host: ResolverConfiguration, given: DnsSettings): readonly string[] {
  if (!given.search?.length) return host.search;
  // `--dns-search .` stands for none at all.
  return given.search.filter((domain) => domain !== ".");
}

export function formatResolvConf(configuration: ResolverConfiguration): string {
  const { servers, search, options } = configuration;
  return [
    "# Written by the container engine when the container starts.",
    ...servers.map((server) => `nameserver ${server}`),
    ...(search.length === 0 ? [] : [`search ${search.join(" ")}`]),
    ...(options.length === 0 ? [] : [`options ${options.join(" ")}`]),
    "",
  ].join("\n");
}
