import { InvalidArgument } from "@boxship/base";
import { check, libc } from "./ffi.ts";

/** Resource limits of processes, `prlimit(2)`. */

const RESOURCES = {
  cpu: 0,
  fsize: 1,
  data: 2,
  stack: 3,
  core: 4,
  rss: 5,
  nproc: 6,
  nofile: 7,
  memlock: 8,
  as: 9,
  locks: 10,
  sigpending: 11,
  msgqueue: 12,
  nice: 13,
  rtprio: 14,
  rttime: 15,
} as const;

/** A resource by the name that ulimits have: `nofile`, `core` … */
export type ResourceName = keyof typeof RESOURCES;

/** In the resource's own unit: bytes, seconds, a count. `Infinity` is unlimited. */
export interface ResourceLimit {
  readonly soft: number;
  readonly hard: number;
}

const prlimitCall = libc.bind<number>("prlimit", ["i32", "i32", "i32", "pointer", "pointer"]);
const RLIM_INFINITY = 2n ** 64n - 1n;

/** A resource's name from a user's or a specification's spelling: `nofile`, `RLIMIT_NOFILE`. */
export function resourceName(text: string): ResourceName {
  const name = text.toLowerCase().replace(/^rlimit_/, "");
  if (Object.hasOwn(RESOURCES, name)) return name as ResourceName;
  throw new InvalidArgument(`resource limit ${JSON.stringify(text)} is not known`, {
    remedy: `use one of ${Object.keys(RESOURCES).join(", ")}`,
  });
}

function readLimit(buffer: Buffer): ResourceLimit {
  const value = (offset: number) => {
    const number = buffer.readBigUInt64LE(offset);
    return number === RLIM_INFINITY ? Infinity : Number(number);
  };
  return { soft: value(0), hard: value(8) };
}

function writeLimit({ soft, hard }: ResourceLimit): Buffer {
  const buffer = Buffer.alloc(16);
  buffer.writeBigUInt64LE(soft === Infinity ? RLIM_INFINITY : BigInt(soft), 0);
  buffer.writeBigUInt64LE(hard === Infinity ? RLIM_INFINITY : BigInt(hard), 8);
  return buffer;
}

/** A limit of a process. @param pid @default our own */
export function resourceLimit(resource: ResourceName, pid = 0): ResourceLimit {
  const buffer = Buffer.alloc(16);
  check(prlimitCall(pid, RESOURCES[resource], null, buffer), "prlimit", resource);
  return readLimit(buffer);
}

/** Sets a limit of a process. Throws EPERM when a hard limit is raised without CAP_SYS_RESOURCE. */
export function setResourceLimit(resource: ResourceName, limit: ResourceLimit, pid = 0): void {
  check(prlimitCall(pid, RESOURCES[resource], writeLimit(limit), null), "prlimit", resource);
}

export interface ClampedLimit {
  readonly limit: ResourceLimit;
  /** Whether it is lower than what was wanted. */
  readonly clamped: boolean;
}

/**
 * What can be had of a wanted limit: no more than the present hard limit, unless it may be raised.
 *
 * @param present the limits of the process that will set it, {@link resourceLimit}
 * @param mayRaise whether it has CAP_SYS_RESOURCE
 */
export function clampResourceLimit(wanted: ResourceLimit, present: ResourceLimit, mayRaise: boolean): ClampedLimit {
  const most = mayRaise ? Infinity : present.hard;
  const limit = { soft: Math.min(wanted.soft, most), hard: Math.min(wanted.hard, most) };
  return { limit, clamped: limit.soft < wanted.soft || limit.hard < wanted.hard };
}
