import { InvalidArgument } from "@boxship/base";
import type { HostFacts } from "./host.ts";
import type { OciRlimit } from "./oci.ts";

const NAMES: ReadonlySet<string> = new Set(
  "CORE CPU DATA FSIZE LOCKS MEMLOCK MSGQUEUE NICE NOFILE NPROC RSS RTPRIO RTTIME SIGPENDING STACK".split(" "),
);

interface Adapted<Value> {
  readonly value: Value;
  readonly warnings: readonly string[];
}

/**
 * Resource limits under their OCI names, lowered to what this host lets us give. -1 is unlimited, in and out.
 *
 * @throws InvalidArgument an unknown limit, or a soft one above its hard one
 */
export function adaptRlimits(requested: readonly OciRlimit[], host: HostFacts): Adapted<readonly OciRlimit[]> {
  const warnings: string[] = [];
  const value = requested.map((limit) => {
    const short = limit.type.toUpperCase().replace(/^RLIMIT_/, "");
    if (!NAMES.has(short)) throw new InvalidArgument(`invalid ulimit type: ${limit.type}`);
    for (const number of [limit.soft, limit.hard]) {
      if (number < -1) {
        throw new InvalidArgument(`invalid ulimit ${limit.type}: ${number} is no limit`, {
          remedy: "give -1 for unlimited",
        });
      }
    }
    if (unlimited(limit.soft) > unlimited(limit.hard)) {
      throw new InvalidArgument(
        `ulimit soft limit must be less than or equal to hard limit: ${limit.soft} > ${limit.hard} (${limit.type})`,
      );
    }
    const type = `RLIMIT_${short}`;
    const most = Math.min(
      host.mayExceedLimits ? Number.POSITIVE_INFINITY : (host.rlimits.get(type)?.hard ?? Number.POSITIVE_INFINITY),
      type === "RLIMIT_NOFILE" ? host.maxOpenFiles : Number.POSITIVE_INFINITY,
    );
    if (unlimited(limit.hard) <= most) return { type, soft: limit.soft, hard: limit.hard };
    warnings.push(
      `ulimit ${short.toLowerCase()} was lowered from ${text(limit.hard)} to ${most}: this host does not let the daemon raise it`,
    );
    return { type, soft: Math.min(unlimited(limit.soft), most), hard: most };
  });
  return { value, warnings };
}

function unlimited(value: number): number {
  return value === -1 ? Number.POSITIVE_INFINITY : value;
}

function text(value: number): string {
  return value === -1 ? "unlimited" : String(value);
}

/**
 * An OOM score adjustment that this host lets us give.
 *
 * @throws InvalidArgument outside -1000 … 1000
 */
export function adaptOomScore(requested: number, host: HostFacts): Adapted<number> {
  if (!Number.isInteger(requested) || requested < -1000 || requested > 1000) {
    throw new InvalidArgument(`invalid value ${requested}, range for oom score adj is [-1000, 1000]`);
  }
  if (requested >= host.oomScoreAdj || host.mayExceedLimits) return { value: requested, warnings: [] };
  // Docker's default 0 is what nearly everybody gets: not worth a word when the host starts us a little higher.
  const warnings =
    requested === 0
      ? []
      : [
          `oom score adjustment was raised from ${requested} to ${host.oomScoreAdj}: this host does not let the daemon lower it`,
        ];
  return { value: host.oomScoreAdj, warnings };
}
