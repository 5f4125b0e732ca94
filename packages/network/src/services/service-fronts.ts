/** An address, or a port of every address of this machine, that leads to the places of a service. */
export interface ServiceFront {
  /** @default every address of this machine */
  readonly address?: string;
  readonly family: "ipv4" | "ipv6";
  readonly protocol: "tcp" | "udp" | "sctp";
  readonly port: number;
  /** Who reaches it: pods and this machine, or everybody. */
  readonly reach: "cluster" | "everybody";
  /** `refuse` and `drop`: there are no places. */
  readonly action: "balance" | "refuse" | "drop";
  /** Where it leads to, of the same family. */
  readonly places: readonly ServicePlace[];
  /** The places see this machine as their client: they would answer past it otherwise. */
  readonly masquerade: boolean;
  /** Networks whose clients are let in, `address/length`. @default everybody's */
  readonly sources?: readonly string[];
  /** For how many seconds a client comes back to its place. 0: not at all. */
  readonly stickySeconds: number;
}

export interface ServicePlace {
  readonly address: string;
  readonly port: number;
}

/** What all fronts have in common. */
export interface ServiceTableSettings {
  /** Of the table: the instance's. */
  readonly name: string;
  /** The networks of pods, `address/length`. @default everybody counts as one */
  readonly podNetworks?: readonly string[];
  /**
   * Answers among pods of one bridge come back through the packet filter (br_netfilter), so that their addresses need not be
   * changed.
   */
  readonly keepSources: boolean;
}

/** Fronts of the same key are one. */
export function frontKey({ family, address = "", protocol, port }: ServiceFront): string {
  return `${family} ${address} ${protocol} ${port}`;
}
