import { type Logger, sleep } from "@boxship/base";
import {
  type CertificatesOptions,
  type ClusterCertificates,
  goodFor,
  issuedBy,
  serverHosts,
} from "./cluster-certificates.ts";

export interface CertificateRenewalOptions extends CertificatesOptions {
  readonly logger: Logger;
}

/** Takes new certificates up. What rejects is called again with the same. */
export type TakeCertificates = (certificates: ClusterCertificates) => void | Promise<void>;

/** Between two looks at the machine's name and addresses, and at the time. */
const LOOK_MS = 10_000;

/**
 * Keeps a cluster's certificates good as long as its process runs: as at the start, they are made anew when they near their
 * end, and the server's when the machine has a name or an address that it does not name. The authorities stay.
 */
export class CertificateRenewal implements AsyncDisposable {
  readonly #options: CertificateRenewalOptions;
  readonly #takers = new Set<TakeCertificates>();
  readonly #ending = new AbortController();
  readonly #looking: Promise<void>;
  #current: ClusterCertificates;
  /** The hosts that the certificates were made or kept for. */
  #hosts: string;
  #good: ReturnType<typeof goodFor>;
  #taken = true;

  constructor(current: ClusterCertificates, options: CertificateRenewalOptions) {
    this.#options = options;
    this.#current = current;
    this.#hosts = serverHosts(options).join();
    this.#good = goodFor(current);
    this.#looking = this.#keepLooking();
  }

  get current(): ClusterCertificates {
    return this.#current;
  }

  /** Who takes new ones up, until it is disposed of. */
  use(taker: TakeCertificates): Disposable {
    this.#takers.add(taker);
    return { [Symbol.dispose]: () => void this.#takers.delete(taker) };
  }

  async #keepLooking(): Promise<void> {
    const { clock, logger } = this.#options;
    for (;;) {
      await sleep(clock, LOOK_MS, this.#ending.signal).catch(() => {});
      if (this.#ending.signal.aborted) return;
      try {
        await this.#look();
      } catch (error) {
        logger.warn("certificates cannot be renewed and will be tried again", { error });
      }
    }
  }

  async #look(): Promise<void> {
    const hosts = serverHosts(this.#options).join();
    const { from, until } = this.#good;
    const now = this.#options.clock.now();
    if (this.#taken && hosts === this.#hosts && from <= now && now < until) return;
    const { signer, frontProxy } = this.#current;
    const next = await issuedBy(this.#options, { cluster: signer, frontProxy: frontProxy.signer });
    this.#hosts = hosts;
    if (this.#taken && JSON.stringify(next) === JSON.stringify(this.#current)) return;
    this.#current = next;
    this.#good = goodFor(next);
    this.#taken = false;
    for (const taker of this.#takers) await taker(next);
    this.#taken = true;
    this.#options.logger.info("certificates are renewed", { until: new Date(this.#good.until).toISOString() });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#looking;
  }
}
