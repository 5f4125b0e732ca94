import { type Clock, type Logger, systemClock } from "@boxship/base";
import {
  type ApiClient,
  EventRecorder,
  type FollowServices,
  keyOf,
  runWorkers,
  type Service,
  WorkQueue,
} from "@boxship/client";

export interface BalancersOptions {
  /** Stays the caller's. */
  readonly client: ApiClient;
  /** Stays the caller's. */
  readonly services: FollowServices;
  /** The node's: what services share without a pool, each by its ports. */
  readonly nodeAddress: string;
  /** Addresses of which each service gets one. @default none: the node's */
  readonly pool?: readonly string[];
  readonly clock?: Clock;
  readonly logger: Logger;
}

/** Of services that are told of here; others are somebody else's, by their class. */
const TYPE = "LoadBalancer";

/** Gives services of type LoadBalancer their addresses, and takes them back. */
export class Balancers implements AsyncDisposable {
  readonly #options: BalancersOptions;
  readonly #queue: WorkQueue<string>;
  readonly #events: EventRecorder;
  readonly #following: Disposable;
  readonly #running: Promise<void>;
  /** What each address and port is given to, `address protocol port`; with a pool, each address. */
  readonly #given = new Map<string, string>();
  /** Services that found nothing free. */
  readonly #lacking = new Set<string>();

  constructor(options: BalancersOptions) {
    this.#options = options;
    const { client, services, logger, clock = systemClock } = options;
    this.#queue = new WorkQueue({ clock });
    this.#events = new EventRecorder({ client, component: "service-controller", logger, clock });
    this.#following = services.onChange((key) => this.#queue.add(key));
    this.#running = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#following[Symbol.dispose]();
    this.#queue[Symbol.dispose]();
    await this.#running;
    await this.#events[Symbol.asyncDispose]();
  }

  async #run(): Promise<void> {
    const { services, logger } = this.#options;
    await services.synced;
    // What was given stays given: nobody who comes first at a start takes it.
    for (const service of services.all()) {
      const [address] = addressesOf(service);
      if (isOurs(service) && address !== undefined) this.#claim(keyOf(service), service, address);
    }
    await runWorkers(this.#queue, { logger, reconcile: (key) => this.#settle(key) });
  }

  async #settle(key: string): Promise<void> {
    const service = this.#options.services.get(key);
    const present = service === undefined ? [] : addressesOf(service);
    if (service === undefined || !isOurs(service)) {
      this.#release(key);
      const isForeign = service?.spec?.type === TYPE;
      if (service !== undefined && !isForeign && present.length > 0) await this.#write(service, []);
      return;
    }
    const wanted = this.#choose(key, service);
    const same = present.length === wanted.length && present.every((address, index) => address === wanted[index]);
    if (!same) await this.#write(service, wanted);
  }

  #choose(key: string, service: Service): readonly string[] {
    const { pool, nodeAddress } = this.#options;
    const { loadBalancerSourceRanges = [], loadBalancerIP = "" } = service.spec ?? {};
    if (loadBalancerSourceRanges.length > 0) {
      this.#release(key);
      this.#events.record(service, "Warning", "UnsupportedLoadBalancer", "loadBalancerSourceRanges is not supported");
      return [];
    }
    const [present] = addressesOf(service);
    const candidates = pool ?? [nodeAddress];
    const asked = loadBalancerIP === "" ? candidates : candidates.filter((address) => address === loadBalancerIP);
    const ordered = present !== undefined && asked.includes(present) ? [present, ...asked] : asked;
    this.#release(key);
    const address = ordered.find((one) => this.#claim(key, service, one));
    if (address !== undefined) {
      this.#lacking.delete(key);
      return [address];
    }
    this.#lacking.add(key);
    const why = loadBalancerIP === "" ? "no address is free for its ports" : `${loadBalancerIP} cannot be given to it`;
    this.#events.record(service, "Warning", "SyncLoadBalancerFailed", `Error syncing load balancer: ${why}`);
    return [];
  }

  /** @returns whether the service has it now */
  #claim(key: string, service: Service, address: string): boolean {
    const claims = this.#claimsOf(service, address);
    if (claims.some((claim) => (this.#given.get(claim) ?? key) !== key)) return false;
    for (const claim of claims) this.#given.set(claim, key);
    return true;
  }

  #claimsOf({ spec }: Service, address: string): readonly string[] {
    if (this.#options.pool !== undefined) return [address];
    return (spec?.ports ?? []).map(({ port, protocol = "TCP" }) => `${address} ${protocol} ${port}`);
  }

  #release(key: string): void {
    let released = false;
    for (const [claim, of] of this.#given) {
      if (of === key) released = this.#given.delete(claim) || released;
    }
    this.#lacking.delete(key);
    if (released) for (const other of this.#lacking) this.#queue.add(other);
  }

  async #write(service: Service, addresses: readonly string[]): Promise<void> {
    const { namespace = "", name = "" } = service.metadata;
    const ref = { group: "", version: "v1", resource: "services", namespace, name };
    const ingress = addresses.map((ip) => ({ ip, ipMode: "VIP" }));
    await this.#options.client.patch(
      ref,
      "merge",
      { status: { loadBalancer: { ingress } } },
      { subresource: "status" },
    );
  }
}

/** Of a class of its own it is somebody else's. */
function isOurs({ spec, metadata }: Service): boolean {
  return spec?.type === TYPE && spec.loadBalancerClass === undefined && metadata.deletionTimestamp === undefined;
}

function addressesOf({ status }: Service): readonly string[] {
  return (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []);
}
