import { InvalidArgument } from "@boxship/base";

/** All capabilities that Linux has, in the order of their bits (`linux/capability.h`). */
export const CAPABILITIES = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_DAC_READ_SEARCH",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETPCAP",
  "CAP_LINUX_IMMUTABLE",
  "CAP_NET_BIND_SERVICE",
  "CAP_NET_BROADCAST",
  "CAP_NET_ADMIN",
  "CAP_NET_RAW",
  "CAP_IPC_LOCK",
  "CAP_IPC_OWNER",
  "CAP_SYS_MODULE",
  "CAP_SYS_RAWIO",
  "CAP_SYS_CHROOT",
  "CAP_SYS_PTRACE",
  "CAP_SYS_PACCT",
  "CAP_SYS_ADMIN",
  "CAP_SYS_BOOT",
  "CAP_SYS_NICE",
  "CAP_SYS_RESOURCE",
  "CAP_SYS_TIME",
  "CAP_SYS_TTY_CONFIG",
  "CAP_MKNOD",
  "CAP_LEASE",
  "CAP_AUDIT_WRITE",
  "CAP_AUDIT_CONTROL",
  "CAP_SETFCAP",
  "CAP_MAC_OVERRIDE",
  "CAP_MAC_ADMIN",
  "CAP_SYSLOG",
  "CAP_WAKE_ALARM",
  "CAP_BLOCK_SUSPEND",
  "CAP_AUDIT_READ",
  "CAP_PERFMON",
  "CAP_BPF",
  "CAP_CHECKPOINT_RESTORE",
] as const;

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

const KNOWN: ReadonlySet<string> = new Set(CAPABILITIES);

/** The names of a capability mask as `/proc/PID/status` prints it, e.g. `a80425fb`. */
export function capabilitiesFromMask(mask: string): ReadonlySet<string> {
  const bits = BigInt(`0x${mask.trim()}`);
  return new Set(CAPABILITIES.filter((_, bit) => (bits >> BigInt(bit)) & 1n));
}

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
  const all = CAPABILITIES.filter((name) => available.has(name));
  if (choice.privileged) return all;
  if (add.has("ALL")) return all.filter((name) => !drop.has(name));
  const basis = drop.has("ALL") ? [] : DEFAULT_CAPABILITIES.filter((name) => available.has(name) && !drop.has(name));
  const wanted = new Set([...basis, ...add]);
  return CAPABILITIES.filter((name) => wanted.has(name));
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
