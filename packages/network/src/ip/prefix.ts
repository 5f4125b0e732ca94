import { InvalidArgument } from "@boxship/base";
import { addressBytes, addressText } from "@boxship/kernel";

/**
 * Arithmetic on IP addresses and prefixes of both families. An address is its number and its family; nothing here knows
 * about interfaces or zones.
 */

export type Family = 4 | 6;

export interface IpAddress {
  readonly family: Family;
  readonly value: bigint;
}

/** A range of addresses that share their first `length` bits; the rest of `value` is zero. */
export interface Prefix extends IpAddress {
  readonly length: number;
}

/** Bits of an address. */
export function addressBits(family: Family): number {
  return family === 4 ? 32 : 128;
}

/** Throws {@link InvalidArgument} when the text is no address. */
export function parseAddress(text: string): IpAddress {
  const bytes = addressBytes(text);
  return { family: bytes.length === 4 ? 4 : 6, value: BigInt(`0x${bytes.toString("hex")}`) };
}

/** Canonical text. */
export function formatAddress({ family, value }: IpAddress): string {
  const size = addressBits(family) / 8;
  return addressText(Buffer.from(value.toString(16).padStart(size * 2, "0"), "hex"));
}

/** `address/length` with host bits allowed, as an interface has it. Throws {@link InvalidArgument}. */
export function parseInterfaceAddress(text: string): { readonly address: IpAddress; readonly prefix: Prefix } {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text);
  const fail = (): never => {
    throw new InvalidArgument(`${JSON.stringify(text)} is not an address range`, {
      subject: { kind: "subnet", name: text },
      remedy: "write an address and a prefix length, such as 10.1.0.0/16",
    });
  };
  if (match === null) return fail();
  const address = parseAddress(match[1] ?? "");
  const length = Number(match[2]);
  if (length > addressBits(address.family)) return fail();
  return { address, prefix: prefixOf(address, length) };
}

/** `address/length` without host bits. Throws {@link InvalidArgument}. */
export function parsePrefix(text: string): Prefix {
  const { address, prefix } = parseInterfaceAddress(text);
  if (address.value !== prefix.value) {
    throw new InvalidArgument(`invalid subnet ${text}: it should be ${formatPrefix(prefix)}`, {
      subject: { kind: "subnet", name: text },
    });
  }
  return prefix;
}

export function formatPrefix(prefix: Prefix): string {
  return `${formatAddress(prefix)}/${prefix.length}`;
}

/** The prefix of this length that an address lies in. */
export function prefixOf({ family, value }: IpAddress, length: number): Prefix {
  const hostBits = BigInt(addressBits(family) - length);
  return { family, length, value: (value >> hostBits) << hostBits };
}

/** How many addresses a prefix has. */
export function prefixSize({ family, length }: Prefix): bigint {
  return 1n << BigInt(addressBits(family) - length);
}

/** The highest address; for IPv4 subnets the broadcast address. */
export function lastAddress(prefix: Prefix): IpAddress {
  return { family: prefix.family, value: prefix.value + prefixSize(prefix) - 1n };
}

/** Whether an address, or a whole prefix, lies inside. */
export function contains(outer: Prefix, inner: IpAddress | Prefix): boolean {
  if (outer.family !== inner.family) return false;
  if ("length" in inner && inner.length < outer.length) return false;
  return prefixOf(inner, outer.length).value === outer.value;
}

/** Whether two prefixes share an address. */
export function overlaps(a: Prefix, b: Prefix): boolean {
  return contains(a, b) || contains(b, a);
}

/** The first and last address that a host may have: IPv4 leaves out both ends (not in /31 and /32), IPv6 the first. */
export function usableRange(subnet: Prefix): { readonly first: bigint; readonly last: bigint } {
  const end = lastAddress(subnet).value;
  const small = addressBits(subnet.family) - subnet.length < 2;
  if (small) return { first: subnet.value, last: end };
  return { first: subnet.value + 1n, last: subnet.family === 4 ? end - 1n : end };
}
