import { readFileSync } from "node:fs";
import { Internal, systemCode } from "@boxship/base";
import { Fd } from "../fd.ts";
import { check, libc } from "../ffi.ts";
import { AddressFamily } from "./ip-address.ts";

/**
 * The policies of the packet filter before nftables (`iptables-legacy`), which nftables does not list but packets still
 * meet. Read only.
 */

const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const IPPROTO_RAW = 255;
const GET_INFO = 64;
const GET_ENTRIES = 65;
const NAME_SIZE = 32;
const INFO_SIZE = 84;
const ENTRIES_HEADER = 40;
const FORWARD_HOOK = 2;
const VERDICT_OFFSET = 32;
const VERDICT_DROP = -1;

/** What differs between the families: option level, names of loaded tables, where an entry says where its target is. */
const FAMILIES = {
  ipv4: { number: AddressFamily.IPv4, level: 0, names: "/proc/thread-self/net/ip_tables_names", targetField: 88 },
  ipv6: { number: AddressFamily.IPv6, level: 41, names: "/proc/thread-self/net/ip6_tables_names", targetField: 140 },
} as const;

const socketCall = libc.bind<number>("socket", ["i32", "i32", "i32", "i32"]);
const getsockoptCall = libc.bind<number>("getsockopt", ["i32", "i32", "i32", "i32", "pointer", "pointer"]);

/** Whether the FORWARD chain of the `filter` table drops by default. Looks only when the table is in use already. */
export function legacyForwardDrops(family: keyof typeof FAMILIES): boolean {
  const { number, level, names, targetField } = FAMILIES[family];
  if (!loadedTables(names).includes("filter")) return false;
  using fd = new Fd(check(socketCall(number, SOCK_RAW_CLOEXEC, IPPROTO_RAW), "socket", "raw"));
  const info = Buffer.alloc(INFO_SIZE);
  info.write("filter");
  getOption(fd, level, GET_INFO, info);
  const size = info.readUInt32LE(INFO_SIZE - 4);
  const entries = Buffer.alloc(ENTRIES_HEADER + size);
  entries.write("filter");
  entries.writeUInt32LE(size, NAME_SIZE);
  getOption(fd, level, GET_ENTRIES, entries);
  // A chain's policy is the target of the last entry of its hook, which the header calls underflow.
  const underflow = info.readUInt32LE(NAME_SIZE + 4 + 5 * 4 + FORWARD_HOOK * 4);
  const entry = ENTRIES_HEADER + underflow;
  if (entry + targetField + 2 > entries.length) throw new Internal("the filter table ends before its FORWARD policy");
  const target = entry + entries.readUInt16LE(entry + targetField);
  return entries.readInt32LE(target + VERDICT_OFFSET) === VERDICT_DROP;
}

function loadedTables(path: string): string[] {
  try {
    return readFileSync(path, "utf8").split("\n");
  } catch (error) {
    // In a user namespace the list is not readable; there the tables are nobody's but ours.
    if (systemCode(error) === "ENOENT" || systemCode(error) === "EACCES") return [];
    throw error;
  }
}

function getOption(fd: Fd, level: number, option: number, value: Buffer): void {
  const length = Buffer.from(Uint32Array.of(value.length).buffer);
  check(getsockoptCall(fd.number, level, option, value, length), "getsockopt", "filter");
}
