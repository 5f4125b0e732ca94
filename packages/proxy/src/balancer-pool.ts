import { BlockList } from "node:net";
import { InvalidArgument } from "@boxship/base";

/** A pool's addresses at most: each is tried in turn. */
const MOST = 65_536;

/**
 * The IPv4 addresses of a list as it is written on the command line: `10.0.0.5`, `10.0.0.0/28`, `10.0.0.5-10.0.0.9`, with
 * commas between them. Of a network, first and last are left out.
 *
 * @throws InvalidArgument naming the part
 */
export function parseBalancerPool(text: string): readonly string[] {
  const pool = text.split(",").flatMap((part) => addressesOf(part.trim()));
  if (pool.length > MOST) throw new InvalidArgument(`${JSON.stringify(text)} has more than ${MOST} addresses`);
  return [...new Set(pool)];
}

function addressesOf(part: string): string[] {
  const slash = /^([\d.]+)\/(\d{1,2})$/.exec(part);
  if (slash !== null) {
    const [, address = "", length = ""] = slash;
    const bits = 32 - Number(length);
    if (bits < 0 || bits > 16) throw refused(part);
    const size = 2 ** bits;
    const first = Math.floor(numberOf(address, part) / size) * size;
    return bits < 2 ? list(first, first + size - 1) : list(first + 1, first + size - 2);
  }
  const [from = "", to = from, ...more] = part.split("-").map((word) => word.trim());
  const [first, last] = [numberOf(from, part), numberOf(to, part)];
  if (more.length > 0 || last < first || last - first >= MOST) throw refused(part);
  return list(first, last);
}

function numberOf(address: string, part: string): number {
  try {
    new BlockList().addAddress(address, "ipv4");
  } catch (cause) {
    throw refused(part, cause);
  }
  return address.split(".").reduce((sum, byte) => sum * 256 + Number(byte), 0);
}

function list(first: number, last: number): string[] {
  return Array.from({ length: last - first + 1 }, (_, index) => {
    const number = first + index;
    return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join(".");
  });
}

function refused(part: string, cause?: unknown): InvalidArgument {
  return new InvalidArgument(`${JSON.stringify(part)} is no IPv4 address, network of at least /16, or range`, {
    cause,
  });
}
