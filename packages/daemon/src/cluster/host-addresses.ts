import { createSocket } from "node:dgram";
import { networkInterfaces } from "node:os";
import { type Clock, type Logger, sleep } from "@boxship/base";
import { listLinks, NetlinkSocket } from "@boxship/kernel";

export interface HostAddressesOptions {
  readonly clock: Clock;
  readonly logger: Logger;
}

type Family = "IPv4" | "IPv6";

/** Between two looks: probes of pods on the host's network fail until the new address is known. */
const LOOK_MS = 5000;
/** Where nobody is (RFC 5737, RFC 3849): nothing is sent there. */
const ELSEWHERE = { IPv4: "192.0.2.1", IPv6: "2001:db8::1" } as const;

/**
 * By which addresses others reach this machine, as they are now: that by which it would speak to a stranger, otherwise the
 * first of a link that leads out. While there is none, the last that there was.
 */
export class HostAddresses implements AsyncDisposable {
  readonly #options: HostAddressesOptions;
  readonly #ending = new AbortController();
  readonly #listeners = new Set<() => void>();
  #looking = Promise.resolve();
  #found: Partial<Record<Family, string>> = {};

  private constructor(options: HostAddressesOptions) {
    this.#options = options;
  }

  static async open(options: HostAddressesOptions): Promise<HostAddresses> {
    const addresses = new HostAddresses(options);
    await addresses.look();
    addresses.#looking = addresses.#keepLooking();
    return addresses;
  }

  /** Of IPv4 first, and one of IPv6 where pods have those and there is one; the loopback's without any. @param networks of pods */
  of(networks: readonly string[] = []): readonly string[] {
    const { IPv4 = "127.0.0.1", IPv6 } = this.#found;
    const six = networks.some((network) => network.includes(":")) ? IPv6 : undefined;
    return [IPv4, ...(six === undefined ? [] : [six])];
  }

  /** @param changed they are others now */
  onChange(changed: () => void): Disposable {
    this.#listeners.add(changed);
    return { [Symbol.dispose]: () => void this.#listeners.delete(changed) };
  }

  async look(): Promise<void> {
    const [IPv4, IPv6] = await Promise.all([outsideAddress("IPv4"), outsideAddress("IPv6")]);
    const before = this.#found;
    const found = { ...before, ...(IPv4 === undefined ? {} : { IPv4 }), ...(IPv6 === undefined ? {} : { IPv6 }) };
    if (found.IPv4 === before.IPv4 && found.IPv6 === before.IPv6) return;
    this.#found = found;
    for (const changed of this.#listeners) changed();
  }

  async #keepLooking(): Promise<void> {
    const { clock, logger } = this.#options;
    for (;;) {
      await sleep(clock, LOOK_MS, this.#ending.signal).catch(() => {});
      if (this.#ending.signal.aborted) return;
      await this.look().catch((error: unknown) => logger.warn("the machine's addresses cannot be read", { error }));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#looking;
  }
}

async function outsideAddress(family: Family): Promise<string | undefined> {
  const candidates = addressesOf(family);
  const chosen = await sourceTo(family);
  if (chosen !== undefined && candidates.some(({ address }) => address === chosen)) return chosen;
  if (candidates.length === 0) return undefined;
  const inward = inwardLinks();
  return candidates.find(({ link }) => !inward.has(link))?.address;
}

/** Link-local ones mean nothing without an interface. */
function addressesOf(family: Family): readonly { readonly link: string; readonly address: string }[] {
  return Object.entries(networkInterfaces()).flatMap(([link, found = []]) =>
    found
      .filter((one) => !one.internal && one.family === family && !one.address.startsWith("fe80:"))
      .map(({ address }) => ({ link, address })),
  );
}

/** What the machine's routes would have as the source of what is sent to a stranger. */
function sourceTo(family: Family): Promise<string | undefined> {
  const socket = createSocket(family === "IPv4" ? "udp4" : "udp6");
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  socket.once("error", () => resolve(undefined));
  socket.connect(9, ELSEWHERE[family], (error?: unknown) =>
    resolve(error === undefined || error === null ? socket.address().address : undefined),
  );
  return promise.finally(() => socket.close());
}

/** Bridges that only containers are on: they lead nowhere else. */
function inwardLinks(): ReadonlySet<string> {
  using socket = new NetlinkSocket();
  const links = listLinks(socket);
  const outward = new Set(links.flatMap(({ kind, master }) => (kind === "veth" ? [] : (master ?? []))));
  return new Set(links.filter(({ kind, index }) => kind === "bridge" && !outward.has(index)).map(({ name }) => name));
}
