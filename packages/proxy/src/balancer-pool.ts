import { InvalidArgument } from "@boxship/base";
import { addressBits, type Family, formatAddress, parseAddress, parseInterfaceAddress } from "@boxship/network/prefix";

/** A pool's addresses at most: each is tried in turn. */
const MOST = 65_536;
const MOST_BITS = 16;

/**
 * The addresses of a list as it is written on the command line: `10.0.0.5`, `10.0.0.0/28`, `10.0.0.5-10.0.0.9`, `fd00::/120`,
 * with commas between them. Of a network, first and last are left out.
 *
 * @throws InvalidArgument naming the part
 */
export function parseBalancerPool(text: string): readonly string[] {
  const pool = text.split(",").flatMap((part) => addressesOf(part.trim()));
  if (pool.length > MOST) throw new InvalidArgument(`${JSON.stringify(text)} has more than ${MOST} addresses`);
  return [...new Set(pool)];
}

function addressesOf(part: string): string[] {
  try {
    if (part.includes("/")) {
      const { family, value, length } = parseInterfaceAddress(part).prefix;
      const bits = addressBits(family) - length;
      if (bits > MOST_BITS) throw refused(part);
      const last = value + (1n << BigInt(bits)) - 1n;
      return bits < 2 ? list(family, value, last) : list(family, value + 1n, last - 1n);
    }
    const [from = "", to = from, ...more] = part.split("-").map((word) => word.trim());
    const [first, last] = [parseAddress(from), parseAddress(to)];
    const size = last.value - first.value;
    if (more.length > 0 || first.family !== last.family || size < 0n || size >= BigInt(MOST)) throw refused(part);
    return list(first.family, first.value, last.value);
  } catch (error) {
    throw refused(part, error);
  }
}

function list(family: Family, first: bigint, last: bigint): string[] {
  return Array.from({ length: Number(last - first) + 1 }, (_, index) => {
    return formatAddress({ family, value: first + BigInt(index) });
  });
}

function refused(part: string, cause?: unknown): InvalidArgument {
  return new InvalidArgument(
    `${JSON.stringify(part)} is no address, network of ${2 ** MOST_BITS} addresses at most, or range`,
    { cause },
  );
}
