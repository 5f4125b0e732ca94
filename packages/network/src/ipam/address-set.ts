import { Conflict, InvalidArgument, ResourceExhausted } from "@boxship/base";
import {
  contains,
  type Family,
  formatAddress,
  formatPrefix,
  lastAddress,
  type Prefix,
  parseAddress,
  usableRange,
} from "../ip/prefix.ts";

export interface AddressSetOptions {
  readonly subnet: Prefix;
  /** Where addresses are handed out from; inside the subnet. @default the subnet */
  readonly range?: Prefix;
  /** Never handed out: gateway and auxiliary addresses. */
  readonly reserved?: readonly string[];
  /** For errors. */
  readonly networkName: string;
}

/**
 * The addresses of one subnet that are in use.
 *
 * Free addresses are handed out in a circle: the search starts behind the one handed out last, so that an address which
 * was just released stays unused as long as there are others, and nobody's caches name its former owner for the new one.
 * In memory only; its owner records addresses and {@link claim}s them again after a start.
 */
export class AddressSet {
  readonly subnet: Prefix;
  readonly #networkName: string;
  readonly #first: bigint;
  readonly #last: bigint;
  readonly #reserved: ReadonlySet<bigint>;
  readonly #used = new Set<bigint>();
  #next: bigint;

  constructor(options: AddressSetOptions) {
    this.subnet = options.subnet;
    this.#networkName = options.networkName;
    const usable = usableRange(options.subnet);
    const range = options.range ?? options.subnet;
    this.#first = range.value > usable.first ? range.value : usable.first;
    const end = lastAddress(range).value;
    this.#last = end < usable.last ? end : usable.last;
    this.#next = this.#first;
    this.#reserved = new Set((options.reserved ?? []).map((address) => parseAddress(address).value));
  }

  get family(): Family {
    return this.subnet.family;
  }

  /** How many addresses are in use, reserved ones not counted. */
  get size(): number {
    return this.#used.size;
  }

  /** Takes the next free address. Throws {@link ResourceExhausted}. */
  allocate(): string {
    const free = this.#findFree(this.#next, this.#last) ?? this.#findFree(this.#first, this.#next - 1n);
    if (free === undefined) {
      throw new ResourceExhausted(
        `network ${this.#networkName} has no free address left in ${formatPrefix(this.subnet)}`,
        {
          subject: { kind: "network", name: this.#networkName },
          remedy: "remove containers from the network, or create one with a larger subnet",
        },
      );
    }
    this.#next = free === this.#last ? this.#first : free + 1n;
    return this.#take(free);
  }

  /**
   * Takes this address. Throws {@link InvalidArgument} when it is not one of the subnet's or reserved,
   * {@link Conflict} when it is in use.
   */
  claim(text: string): string {
    const address = parseAddress(text);
    const subject = { kind: "address", name: text };
    const usable = usableRange(this.subnet);
    if (!contains(this.subnet, address) || address.value < usable.first || address.value > usable.last) {
      throw new InvalidArgument(
        `no address ${text} for containers in subnet ${formatPrefix(this.subnet)} of network ${this.#networkName}`,
        { subject },
      );
    }
    if (this.#reserved.has(address.value)) {
      throw new InvalidArgument(`address ${text} of network ${this.#networkName} is its gateway or reserved`, {
        subject,
      });
    }
    if (this.#used.has(address.value)) {
      throw new Conflict(`address ${text} of network ${this.#networkName} is already in use`, { subject });
    }
    return this.#take(address.value);
  }

  /** Gives an address back; one that is not in use is ignored. */
  release(text: string): void {
    this.#used.delete(parseAddress(text).value);
  }

  #findFree(from: bigint, to: bigint): bigint | undefined {
    for (let value = from; value <= to; value++) {
      if (!this.#used.has(value) && !this.#reserved.has(value)) return value;
    }
    return undefined;
  }

  #take(value: bigint): string {
    this.#used.add(value);
    return formatAddress({ family: this.subnet.family, value });
  }
}
