import { InvalidArgument } from "@boxship/base";
import { CAPABILITY_NAMES } from "@boxship/kernel";

/** What an unprivileged container has: Docker's fourteen, as a mask 0xa80425fb. */
export const DEFAULT_CAPABILITIES: readonly string[] = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETPCAP",
  "CAP_NET_BIND_SERVICE",
  "CAP_NET_RAW",
  "CAP_SYS_CHROOT",
  "CAP_MKNOD",
  "CAP_AUDIT_WRITE",
  "CAP_SETFCAP",
];

const KNOWN: ReadonlySet<string> = new Set(CAPABILITY_NAMES);

export interface CapabilityChoice {
  readonly add?: readonly string[];
  readonly drop?: readonly string[];
  readonly privileged?: boolean;
}

/**
 * The capabilities of a container, by Docker's rules: `ALL` in `add` means all but those dropped, `ALL` in `drop` means
 * only those added, a name in both stays.
 *
 * @param available what this host can give
 * @throws InvalidArgument an unknown name, or one that this host does not have
 */
export function resolveCapabilities(choice: CapabilityChoice, available: ReadonlySet<string>): readonly string[] {
  const add = normalize("CapAdd", choice.add ?? [], available);
  const drop = normalize("CapDrop", choice.drop ?? [], undefined);
  const all = CAPABILITY_NAMES.filter((name) => available.has(name));
  if (choice.privileged) return all;
  if (add.has("ALL")) return all.filter((name) => !drop.has(name));
  const basis = drop.has("ALL") ? [] : DEFAULT_CAPABILITIES.filter((name) => available.has(name) && !drop.has(name));
  const wanted = new Set([...basis, ...add]);
  return CAPABILITY_NAMES.filter((name) => wanted.has(name));
}

function normalize(
  field: string,
  names: readonly string[],
  available: ReadonlySet<string> | undefined,
): ReadonlySet<string> {
  const result = new Set<string>();
  for (const given of names) {
    const upper = given.toUpperCase();
    const name = upper === "ALL" || upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
    if (name !== "ALL" && !KNOWN.has(name))
      throw new InvalidArgument(`invalid ${field}: unknown capability: "${name}"`);
    if (name !== "ALL" && available !== undefined && !available.has(name)) {
      throw new InvalidArgument(
        `invalid ${field}: capability not supported by your kernel or not available in the current environment: "${name}"`,
      );
    }
    result.add(name);
  }
  return result;
}
