import { isIP } from "node:net";
import type { Findings } from "./findings.ts";
import type { NameRule } from "./names.ts";

/** An IP address as Go reads one: of IPv4, and of IPv4 within IPv6, parts may begin with zeros. */
interface Address {
  readonly family: 4 | 6;
  /** Its bits; of IPv4 within IPv6 the 32 of IPv4. */
  readonly value: bigint;
  readonly hasZeros: boolean;
  /** IPv4 within IPv6, which is IPv4 for most purposes. */
  readonly isMapped: boolean;
}

interface Network {
  readonly address: Address;
  readonly bits: number;
  readonly hasZeros: boolean;
}

const V4 = /^\d+\.\d+\.\d+\.\d+$/;

export function parseLoosely(text: string): Address | undefined {
  if (V4.test(text)) return parseV4(text);
  if (!text.includes(":") || text.includes("%")) return undefined;
  const tail = text.slice(text.lastIndexOf(":") + 1);
  const inner = V4.test(tail) ? parseV4(tail) : undefined;
  const plain = inner === undefined ? text : text.slice(0, -tail.length) + textOfV4(inner.value);
  if (isIP(plain) !== 6) return undefined;
  const value = valueOfV6(plain);
  const hasZeros = inner?.hasZeros === true;
  if (value >> 32n === 0xffffn) return { family: 4, value: value & 0xffff_ffffn, hasZeros, isMapped: true };
  return { family: 6, value, hasZeros, isMapped: false };
}

function parseV4(text: string): Address | undefined {
  const parts = text.split(".");
  if (parts.some((part) => Number(part) > 255)) return undefined;
  const value = parts.reduce((all, part) => (all << 8n) | BigInt(part), 0n);
  return { family: 4, value, hasZeros: parts.some((part) => /^0\d/.test(part)), isMapped: false };
}

const textOfV4 = (value: bigint): string =>
  [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join(".");

function valueOfV6(text: string): bigint {
  const hex = new URL(`http://[${text}]`).hostname.slice(1, -1);
  const [head = "", tail] = hex.split("::");
  const groups = (part: string): string[] => part.split(":").filter((one) => one !== "");
  const [left, right] = [groups(head), groups(tail ?? "")];
  const gap = Array.from({ length: 8 - left.length - right.length }, () => "0");
  return [...left, ...gap, ...right].reduce((all, part) => (all << 16n) | BigInt(`0x${part}`), 0n);
}

/** RFC 5952; IPv4 within IPv6 as IPv4. */
export function canonicalAddress({ family, value }: Address): string {
  if (family === 4) return textOfV4(value);
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16));
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

export function parseNetwork(text: string): Network | undefined {
  const slash = text.indexOf("/");
  if (slash < 0) return undefined;
  const address = parseLoosely(text.slice(0, slash));
  const length = text.slice(slash + 1);
  if (address === undefined || !/^\d{1,6}$/.test(length)) return undefined;
  const written = Number(length);
  if (written > (address.isMapped || address.family === 6 ? 128 : 32)) return undefined;
  // Of IPv4 within IPv6 the length counts the bits around it.
  const bits = address.isMapped ? Math.max(0, written - 96) : written;
  return { address, bits, hasZeros: address.hasZeros || /^0\d/.test(length) };
}

const sizeOf = ({ family }: Address): number => (family === 4 ? 32 : 128);

function masked({ address, bits }: Network): Address {
  const rest = BigInt(sizeOf(address) - bits);
  return { ...address, value: (address.value >> rest) << rest };
}

export const canonicalNetwork = (network: Network): string => `${canonicalAddress(masked(network))}/${network.bits}`;

/** Whether one lies in the other and is not all of it. */
export function isStrictlyWithin(inner: Network, outer: Network): boolean {
  if (inner.address.family !== outer.address.family || outer.bits >= inner.bits) return false;
  return masked({ ...outer, address: inner.address }).value === masked(outer).value;
}

/** What makes an address ambiguous. */
function addressProblems(text: string): readonly string[] {
  const address = parseLoosely(text);
  if (address === undefined) return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"];
  if (address.hasZeros) return ["must not have leading 0s"];
  return address.isMapped ? ["must not be an IPv4-mapped IPv6 address"] : [];
}

/** An address as RFC 5952 writes it: the name of an IPAddress. */
export const canonicalAddressName: NameRule = (text) => {
  const problems = addressProblems(text);
  const address = parseLoosely(text);
  if (problems.length > 0 || address === undefined) return problems;
  const canonical = canonicalAddress(address);
  return text === canonical ? [] : [`must be in canonical form (${JSON.stringify(canonical)})`];
};

/**
 * An address that is not ambiguous.
 *
 * @param known addresses that were there before: they may stay
 * @returns whether nothing is wrong with it
 */
export function checkAddress(found: Findings, field: string, text: string, known: readonly string[] = []): boolean {
  if (known.includes(text)) return true;
  const problems = addressProblems(text);
  for (const problem of problems) found.invalid(field, text, problem);
  return problems.length === 0;
}

/** As {@link checkAddress}, of a network. */
export function checkNetwork(found: Findings, field: string, text: string, known: readonly string[] = []): void {
  if (known.includes(text)) return;
  const network = parseNetwork(text);
  if (network === undefined)
    found.invalid(field, text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
  else if (network.hasZeros) found.invalid(field, text, "must not have leading 0s in IP or prefix length");
  else if (network.address.isMapped) found.invalid(field, text, "must not have an IPv4-mapped IPv6 address");
  else if (masked(network).value !== network.address.value)
    found.invalid(field, text, "must not have bits set beyond the prefix length");
}

export function checkCanonicalNetwork(found: Findings, field: string, text: string): void {
  const before = found.all.length;
  checkNetwork(found, field, text);
  const network = parseNetwork(text);
  if (network === undefined || found.all.length > before) return;
  const canonical = canonicalNetwork(network);
  if (text !== canonical) found.invalid(field, text, `must be in canonical form (${JSON.stringify(canonical)})`);
}

/** An address of an interface, with the length of its network's prefix. */
export function checkInterfaceAddress(found: Findings, field: string, text: string): void {
  const network = parseNetwork(text);
  if (network === undefined) {
    found.invalid(field, text, "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)");
    return;
  }
  const canonical = `${canonicalAddress(network.address)}/${network.bits}`;
  if (text !== canonical) found.invalid(field, text, `must be in canonical form (${JSON.stringify(canonical)})`);
}

/**
 * An address at which something else may be reached.
 *
 * @param ownToo the machine's own, at which it reaches itself, are taken as well
 */
export function checkEndpointAddress(found: Findings, field: string, text: string, ownToo = false): void {
  const address = parseLoosely(text);
  if (address === undefined) {
    found.invalid(field, text, "must be a valid IP address");
    return;
  }
  const { family, value } = address;
  const begins = (four: bigint, fourBits: number, six: bigint, sixBits: number): boolean =>
    family === 4 ? value >> BigInt(32 - fourBits) === four : value >> BigInt(128 - sixBits) === six;
  if (value === 0n) found.invalid(field, text, `may not be unspecified (${text})`);
  if (!ownToo && begins(127n, 8, 1n, 128))
    found.invalid(field, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)");
  if (begins(0xa9fen, 16, 0x3fan, 10))
    found.invalid(field, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
  if (family === 4 ? value >> 8n === 0xe00000n : ((value >> 112n) & 0xff0fn) === 0xff02n)
    found.invalid(field, text, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
}

/** What the writer of an address is told that is valid and odd. */
export function addressWarnings(field: string, text: string): readonly string[] {
  const address = parseLoosely(text);
  if (address === undefined) return [];
  const canonical = canonicalAddress(address);
  if (address.hasZeros || address.isMapped)
    return [`${field}: non-standard IP address ${JSON.stringify(text)} is invalid: use ${JSON.stringify(canonical)}`];
  return address.family === 6 && canonical !== text
    ? [
        `${field}: IPv6 address ${JSON.stringify(text)} should be in RFC 5952 canonical format (${JSON.stringify(canonical)})`,
      ]
    : [];
}

/** As {@link addressWarnings}, of a network. */
export function networkWarnings(field: string, text: string): readonly string[] {
  const network = parseNetwork(text);
  if (network === undefined) return [];
  const warnings: string[] = [];
  const [shown, canonical] = [JSON.stringify(text), JSON.stringify(canonicalNetwork(network))];
  const { address } = network;
  if (masked(network).value !== address.value) {
    const single = JSON.stringify(`${canonicalAddress(address)}/${sizeOf(address)}`);
    warnings.push(`${field}: CIDR value ${shown} is ambiguous in this context (should be ${canonical} or ${single}?)`);
  }
  if (network.hasZeros || address.isMapped)
    warnings.push(`${field}: non-standard CIDR value ${shown} is invalid: use ${canonical}`);
  if (warnings.length === 0 && address.family === 6 && canonical !== shown)
    warnings.push(`${field}: IPv6 CIDR value ${shown} should be in RFC 5952 canonical format (${canonical})`);
  return warnings;
}
