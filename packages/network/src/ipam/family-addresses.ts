import { InvalidArgument, ResourceExhausted } from "@boxship/base";
import type { IpamConfig } from "../contract.ts";
import { contains, parseAddress, parsePrefix } from "../ip/prefix.ts";
import { AddressSet } from "./address-set.ts";

type Subnet = IpamConfig & { readonly subnet: string };

/** An address that was taken, and the subnet that it is of. */
export interface TakenAddress {
  readonly address: string;
  readonly config: Subnet;
}

/** The addresses of a network in one family: those of its subnets, in their order. */
export class FamilyAddresses {
  readonly #subnets: readonly { readonly config: Subnet; readonly set: AddressSet }[];
  readonly #networkName: string;

  /** @param configs of one family, at least one */
  constructor(networkName: string, configs: readonly Subnet[]) {
    this.#networkName = networkName;
    this.#subnets = configs.map((config) => ({ config, set: addressSet(networkName, config) }));
  }

  /** Takes a free address of the first subnet that has one. Throws {@link ResourceExhausted}. */
  allocate(): TakenAddress {
    let full: unknown;
    for (const { config, set } of this.#subnets) {
      try {
        return { address: set.allocate(), config };
      } catch (error) {
        if (!(error instanceof ResourceExhausted)) throw error;
        full ??= error;
      }
    }
    throw full;
  }

  /** Takes this address; throws as {@link AddressSet.claim} does, and for one of no subnet. */
  claim(text: string): TakenAddress {
    const address = parseAddress(text);
    const subnet = this.#subnets.find(({ set }) => contains(set.subnet, address)) ?? this.#subnets[0];
    if (subnet === undefined) throw new InvalidArgument(`network ${this.#networkName} has no subnet for ${text}`);
    return { address: subnet.set.claim(text), config: subnet.config };
  }

  /** Gives an address back; one that is not in use is ignored. */
  release(text: string): void {
    for (const { set } of this.#subnets) set.release(text);
  }
}

function addressSet(networkName: string, config: Subnet): AddressSet {
  const reserved = [config.gateway, ...Object.values(config.auxiliaryAddresses ?? {})];
  return new AddressSet({
    subnet: parsePrefix(config.subnet),
    ...(config.ipRange === undefined ? {} : { range: parsePrefix(config.ipRange) }),
    reserved: reserved.filter((address) => address !== undefined),
    networkName,
  });
}
