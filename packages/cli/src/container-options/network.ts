import { Failure, FlagError } from "../failure.ts";
import { parseInteger } from "../flags/flag.ts";
import { isMacAddress } from "./checks.ts";
import { cut, splitCsv } from "./csv.ts";

/** One `--network`, with the options that its long form carries. */
export interface NetworkAttachment {
  target: string;
  aliases: string[];
  links: string[];
  linkLocal: string[];
  driverOptions?: Record<string, string>;
  ip?: string;
  ip6?: string;
  mac?: string;
  gatewayPriority?: number;
}

/** Settings of one endpoint as the engine takes them. */
export interface EndpointSettings {
  readonly Aliases?: readonly string[];
  readonly Links?: readonly string[];
  readonly DriverOpts?: Readonly<Record<string, string>>;
  readonly IPAMConfig?: {
    readonly IPv4Address?: string;
    readonly IPv6Address?: string;
    readonly LinkLocalIPs?: readonly string[];
  };
  readonly MacAddress?: string;
  readonly GwPriority?: number;
}

function bare(target: string): NetworkAttachment {
  return { target, aliases: [], links: [], linkLocal: [] };
}

/** `NAME`, or `name=NAME,alias=…,ip=…`. @throws FlagError naming the field */
export function parseNetwork(value: string): NetworkAttachment {
  if (!/\w+=\w+(,\w+=\w+)*/.test(value)) return bare(value);
  const network = bare("");
  for (const field of splitCsv(value)) setField(network, field);
  if (network.target === "") throw new FlagError("network name/id is not specified");
  return network;
}

function setField(network: NetworkAttachment, field: string): void {
  const [rawKey, rawValue] = cut(field.toLowerCase());
  if (rawValue === undefined || rawKey === "") throw new FlagError(`invalid field ${field}`);
  const value = rawValue.trim();
  switch (rawKey.trim()) {
    case "name":
      network.target = value;
      break;
    case "alias":
      network.aliases.push(value);
      break;
    case "ip":
      network.ip = value;
      break;
    case "ip6":
      network.ip6 = value;
      break;
    case "mac-address":
      network.mac = value;
      break;
    case "link-local-ip":
      network.linkLocal.push(value);
      break;
    case "driver-opt":
      setDriverOption(network, value);
      break;
    case "gw-priority":
      network.gatewayPriority = parsePriority(value);
      break;
    default:
      throw new FlagError(`invalid field key ${rawKey.trim()}`);
  }
}

function setDriverOption(network: NetworkAttachment, text: string): void {
  const [key, value] = cut(text);
  if (value === undefined || key === "") throw new FlagError("invalid key value pair format in driver options");
  network.driverOptions = { ...network.driverOptions, [key.trim()]: value.trim() };
}

function parsePriority(value: string): number {
  try {
    return parseInteger(value, -(2n ** 63n), 2n ** 63n - 1n);
  } catch (error) {
    throw new FlagError(`invalid gw-priority (${value}): invalid syntax`, { cause: error });
  }
}

/** Flags of the container that belong to its first network. */
export interface EndpointFlags {
  readonly aliases: readonly string[];
  readonly links: readonly string[];
  readonly linkLocal: readonly string[];
  readonly ip: string;
  readonly ip6: string;
  readonly mac: string;
}

const BUILT_IN: ReadonlySet<string> = new Set(["default", "bridge", "host", "none"]);

/** Whether a network mode names a network of the user's own. */
export function isUserDefined(mode: string): boolean {
  return !BUILT_IN.has(mode) && !mode.startsWith("container:");
}

/** Joins the container's own flags into its first network. @throws Failure when both say something */
function withFlags(network: NetworkAttachment, flags: EndpointFlags): NetworkAttachment {
  const conflict = (flag: string, what: string): Failure =>
    new Failure(`conflicting options: cannot specify both --${flag} and per-network ${what}`);
  if (network.aliases.length > 0 && flags.aliases.length > 0) throw conflict("network-alias", "alias");
  if (network.ip !== undefined && flags.ip !== "") throw conflict("ip", "IPv4 address");
  if (network.ip6 !== undefined && flags.ip6 !== "") throw conflict("ip6", "IPv6 address");
  if (network.mac !== undefined && flags.mac !== "") throw conflict("mac-address", "MAC address");
  if (network.linkLocal.length > 0 && flags.linkLocal.length > 0) {
    throw conflict("link-local-ip", "link-local IP addresses");
  }
  return {
    ...network,
    aliases: flags.aliases.length > 0 ? [...flags.aliases] : network.aliases,
    // On the default bridge --link belongs to the container, elsewhere it is a name in the network.
    links: isUserDefined(network.target) && flags.links.length > 0 ? [...flags.links] : network.links,
    linkLocal: flags.linkLocal.length > 0 ? [...flags.linkLocal] : network.linkLocal,
    ...(flags.ip !== "" && { ip: flags.ip }),
    ...(flags.ip6 !== "" && { ip6: flags.ip6 }),
    ...(flags.mac !== "" && { mac: flags.mac }),
  };
}

function endpointSettings(network: NetworkAttachment): EndpointSettings {
  const { target, aliases, links, linkLocal, driverOptions, ip, ip6, mac, gatewayPriority } = network;
  if (target.trim() === "") throw new Failure("no name set for network");
  if (!isUserDefined(target)) {
    if (aliases.length > 0) throw new Failure("network-scoped aliases are only supported for user-defined networks");
    if (links.length > 0) throw new Failure("links are only supported for user-defined networks");
  }
  if (mac !== undefined && !isMacAddress(mac)) throw new Failure(`${mac} is not a valid mac address`);
  const addressed = ip !== undefined || ip6 !== undefined || linkLocal.length > 0;
  return {
    ...(aliases.length > 0 && { Aliases: aliases }),
    ...(links.length > 0 && { Links: links }),
    ...(driverOptions !== undefined && { DriverOpts: driverOptions }),
    ...(addressed && {
      IPAMConfig: {
        ...(ip !== undefined && { IPv4Address: ip }),
        ...(ip6 !== undefined && { IPv6Address: ip6 }),
        ...(linkLocal.length > 0 && { LinkLocalIPs: linkLocal }),
      },
    }),
    ...(mac !== undefined && { MacAddress: mac }),
    ...(gatewayPriority !== undefined && { GwPriority: gatewayPriority }),
  };
}

/** The container's network mode, and the settings of its endpoints by network. */
export function buildNetworks(
  networks: readonly NetworkAttachment[],
  flags: EndpointFlags,
): { readonly mode: string; readonly endpoints: Readonly<Record<string, EndpointSettings>> } {
  const [first = bare("default"), ...more] = networks;
  const all = [withFlags(first, flags), ...more];
  const endpoints: Record<string, EndpointSettings> = {};
  for (const network of all) {
    const settings = endpointSettings(network);
    if (Object.hasOwn(endpoints, network.target)) {
      throw new Failure(`network ${JSON.stringify(network.target)} is specified multiple times`);
    }
    // A single network without options needs no endpoint: the mode says it all.
    if (networks.length === 1 && Object.keys(settings).length === 0) continue;
    endpoints[network.target] = settings;
  }
  if (all.some(({ target }) => isUserDefined(target)) && all.some(({ target }) => !isUserDefined(target))) {
    throw new Failure("conflicting options: cannot attach both user-defined and non-user-defined network-modes");
  }
  return { mode: first.target, endpoints };
}
