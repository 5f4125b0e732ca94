import { BlockList, isIP } from "node:net";
import { Failure } from "../failure.ts";

/** What the command line says about a network's addresses. */
export interface IpamFlags {
  readonly driver: string;
  readonly subnets: readonly string[];
  readonly ranges: readonly string[];
  readonly gateways: readonly string[];
  readonly auxiliary: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
}

/** One subnet as the engine takes it. */
interface IpamConfig {
  readonly Subnet: string;
  IPRange?: string;
  Gateway?: string;
  AuxiliaryAddresses: Record<string, string>;
}

interface Cidr {
  readonly address: string;
  readonly prefix: number;
}

function parseCidr(text: string, problem: string): Cidr {
  const [address = "", prefix = ""] = text.split("/");
  const family = isIP(address);
  const valid = family !== 0 && /^\d+$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128);
  if (!valid) throw new Failure(`${problem}invalid CIDR address: ${text}`);
  return { address, prefix: Number(prefix) };
}

/** Whether an address, or the first address of a range, is in a subnet. */
function contains(subnet: string, data: string): boolean {
  const { address, prefix } = parseCidr(subnet, "invalid subnet: ");
  const candidate = data.includes("/") ? parseCidr(data, "").address : data;
  const family = (text: string) => (isIP(text) === 4 ? "ipv4" : "ipv6");
  if (isIP(candidate) === 0 || family(candidate) !== family(address)) return false;
  const block = new BlockList();
  block.addSubnet(address, prefix, family(address));
  return block.check(candidate, family(candidate));
}

function checkOverlaps(subnets: readonly string[]): void {
  for (const [index, subnet] of subnets.entries()) {
    for (const other of subnets.slice(0, index)) {
      if (contains(subnet, other) || contains(other, subnet)) {
        throw new Failure("multiple overlapping subnet configuration is not supported");
      }
    }
  }
}

/** Sorts ranges, gateways and reserved addresses to their subnets. @throws Failure for one that fits nowhere */
export function buildIpam(flags: IpamFlags) {
  const { subnets, ranges, gateways, auxiliary } = flags;
  if (subnets.length < ranges.length || subnets.length < gateways.length) {
    throw new Failure("every ip-range or gateway must have a corresponding subnet");
  }
  checkOverlaps(subnets);
  const configs = subnets.map((Subnet): IpamConfig => ({ Subnet, AuxiliaryAddresses: {} }));
  const home = (data: string, what: string): IpamConfig => {
    const config = configs.find(({ Subnet }) => contains(Subnet, data));
    if (config === undefined) throw new Failure(`no matching subnet for ${what} ${data}`);
    return config;
  };
  for (const range of ranges) {
    parseCidr(range, "");
    const config = home(range, "range");
    if (config.IPRange !== undefined) {
      throw new Failure(
        `cannot configure multiple ranges (${range}, ${config.IPRange}) on the same subnet (${config.Subnet})`,
      );
    }
    config.IPRange = range;
  }
  for (const gateway of gateways) {
    const config = home(gateway, "gateway");
    if (config.Gateway !== undefined) {
      throw new Failure(
        `cannot configure multiple gateways (${gateway}, ${config.Gateway}) for the same subnet (${config.Subnet})`,
      );
    }
    config.Gateway = gateway;
  }
  for (const [name, address] of Object.entries(auxiliary))
    home(address, "aux-address").AuxiliaryAddresses[name] = address;
  return { Driver: flags.driver, Options: flags.options, Config: configs };
}
