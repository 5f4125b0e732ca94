/** Values of the CRI's enumerations, by the names that the field gives them. */

export const SandboxState = { Ready: 0, NotReady: 1 } as const;
export const ContainerState = { Created: 0, Running: 1, Exited: 2, Unknown: 3 } as const;
export const NamespaceMode = { Pod: 0, Container: 1, Node: 2, Target: 3 } as const;
export const ProfileType = { RuntimeDefault: 0, Unconfined: 1, Localhost: 2 } as const;
export const Propagation = { Private: 0, HostToContainer: 1, Bidirectional: 2 } as const;
export const ContainerEvent = { Created: 0, Started: 1, Stopped: 2, Deleted: 3 } as const;
export const MetricType = { Counter: 0, Gauge: 1 } as const;
export const CgroupDriver = { Systemd: 0, Cgroupfs: 1 } as const;
export const SupplementalGroups = { Merge: 0, Strict: 1 } as const;

export const PROTOCOLS = ["tcp", "udp", "sctp"] as const;

/** The container's stop signal, by its number on the wire; 0 is what the runtime takes by itself. */
const SIGNALS =
  "ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMIN+1 RTMIN+2 RTMIN+3 RTMIN+4 RTMIN+5 RTMIN+6 RTMIN+7 RTMIN+8 RTMIN+9 RTMIN+10 RTMIN+11 RTMIN+12 RTMIN+13 RTMIN+14 RTMIN+15 RTMAX-14 RTMAX-13 RTMAX-12 RTMAX-11 RTMAX-10 RTMAX-9 RTMAX-8 RTMAX-7 RTMAX-6 RTMAX-5 RTMAX-4 RTMAX-3 RTMAX-2 RTMAX-1 RTMAX".split(
    " ",
  );

/** @returns e.g. `SIGUSR1`; undefined for what the runtime takes by itself */
export function signalName(value: number): string | undefined {
  const name = SIGNALS[value - 1];
  return name === undefined ? undefined : `SIG${name}`;
}

/** The number on the wire of a signal by its name, 0 when there is none. */
export function signalValue(name: string): number {
  return SIGNALS.indexOf(name.replace(/^SIG/, "")) + 1;
}
