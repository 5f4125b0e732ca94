import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { isExecutable } from "@boxship/base";

/** In order of preference: small and made for this first. */
const NAMES = ["catatonit", "docker-init", "tini-static", "tini", "dumb-init"];
const DIRECTORIES = ["/usr/libexec/podman", "/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"];

/**
 * A statically linked init on the host: it is bound into containers that may hold no C library at all, so a dynamic
 * one is of no use.
 */
export function findInitBinary(directories: readonly string[] = DIRECTORIES): string | undefined {
  for (const name of NAMES) {
    for (const directory of directories) {
      const path = join(directory, name);
      if (isExecutable(path) && isStaticElf(path)) return path;
    }
  }
  return undefined;
}

const PT_INTERP = 3;

/** Whether a file is a 64-bit little-endian ELF binary that names no interpreter. */
export function isStaticElf(path: string): boolean {
  const descriptor = openSync(path, "r");
  try {
    const head = Buffer.alloc(4096);
    const length = readSync(descriptor, head, 0, head.length, 0);
    if (length < 64 || head.readUInt32BE(0) !== 0x7f454c46 || head[4] !== 2 || head[5] !== 1) return false;
    const offset = Number(head.readBigUInt64LE(32));
    const size = head.readUInt16LE(54);
    const count = head.readUInt16LE(56);
    if (offset + size * count > length) return false;
    for (let index = 0; index < count; index++) {
      if (head.readUInt32LE(offset + index * size) === PT_INTERP) return false;
    }
    return true;
  } finally {
    closeSync(descriptor);
  }
}
