import { randomInt } from "node:crypto";
import { isIP } from "node:net";
import { InvalidArgument } from "@boxship/base";
import { addressBits, contains, formatAddress, type Prefix, parseAddress, parsePrefix } from "@boxship/network/prefix";

export type IpFamily = "IPv4" | "IPv6";

export const DEFAULT_SERVICE_NETWORKS: readonly string[] = ["10.96.0.0/16"];

/** The bits of a network that addresses are drawn of. */
const MOST_BITS = 32;
const LEAST_BITS = 4;
/** The first addresses are left for those that are chosen, where there are enough. */
const CHOSEN = 256;

/** The networks that services' addresses are of: one for each family, the first of which services have by default. */
export class ServiceNetworks {
  readonly families: readonly IpFamily[];
  readonly #prefixes: ReadonlyMap<IpFamily, Prefix>;

  /** @throws InvalidArgument naming the network */
  constructor(networks: readonly string[]) {
    const prefixes = networks.map(parsePrefix);
    for (const [index, prefix] of prefixes.entries()) {
      if (addressBits(prefix.family) - prefix.length < LEAST_BITS) {
        throw new InvalidArgument(`${networks[index]} is too small for services`);
      }
    }
    this.families = prefixes.map(({ family }) => (family === 4 ? "IPv4" : "IPv6"));
    this.#prefixes = new Map(this.families.map((family, index) => [family, prefixes[index] as Prefix]));
    if (networks.length === 0 || this.#prefixes.size !== networks.length) {
      throw new InvalidArgument(`${JSON.stringify(networks.join(","))} is not one network of each family`);
    }
  }

  /** The address at a place of the default family's network, e.g. 1 for the first. */
  at(place: number): string {
    const [first = "IPv4"] = this.families;
    return this.#address(first, BigInt(place));
  }

  /** One at random. */
  draw(family: IpFamily): string {
    const { length } = this.#prefix(family);
    const bits = Math.min(MOST_BITS, addressBits(family === "IPv4" ? 4 : 6) - length);
    const size = 2 ** bits;
    const lowest = size > 4 * CHOSEN ? CHOSEN : 1;
    // The last one is a network's broadcast address.
    return this.#address(family, BigInt(randomInt(lowest, size - 1)));
  }

  /** Where it does not lie, in the words of clients; undefined where it does. */
  refuse(address: string): string | undefined {
    const family = familyOf(address);
    const prefix = this.#prefixes.get(family);
    if (prefix === undefined) return `${family} is not configured on this cluster`;
    const parsed = parseAddress(address);
    if (contains(prefix, parsed) && parsed.value !== prefix.value) return undefined;
    const range = `${formatAddress(prefix)}/${prefix.length}`;
    return `the provided IP (${address}) is not in the valid range. The range of valid IPs is ${range}`;
  }

  #prefix(family: IpFamily): Prefix {
    const prefix = this.#prefixes.get(family);
    if (prefix === undefined) throw new InvalidArgument(`there are no addresses of ${family} for services`);
    return prefix;
  }

  #address(family: IpFamily, place: bigint): string {
    const { value, family: number } = this.#prefix(family);
    return formatAddress({ family: number, value: value + place });
  }
}

export const familyOf = (address: string): IpFamily => (isIP(address) === 6 ? "IPv6" : "IPv4");
