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
  /** The node's as they are now, of each family: what services share without a pool, each by its ports. */
  readonly nodeAddresses: () => readonly string[];
  /** Addresses of which each service gets one of each of its families. @default none: the node's */
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

  /** The node has other addresses. */
  addressesChanged(): void {
    for (const service of this.#options.services.all()) if (isOurs(service)) this.#queue.add(keyOf(service));
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
      if (isOurs(service)) for (const address of addressesOf(service)) this.#claim(keyOf(service), service, address);
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
    const { pool, nodeAddresses } = this.#options;
    const { loadBalancerIP = "", ipFamilies = ["IPv4"] } = service.spec ?? {};
    const present = addressesOf(service);
    this.#release(key);
    const chosen = ipFamilies.flatMap((family): readonly string[] => {
      const own = (address: string): boolean => address.includes(":") === (family === "IPv6");
      const candidates = (pool ?? nodeAddresses()).filter(own);
      const asked =
        loadBalancerIP === "" || !own(loadBalancerIP)
          ? candidates
          : candidates.filter((address) => address === loadBalancerIP);
      const ordered = [...present.filter((address) => asked.includes(address)), ...asked];
      const found = ordered.find((one) => this.#claim(key, service, one));
      return found === undefined ? [] : [found];
    });
    const isLacking = loadBalancerIP !== "" && !chosen.includes(loadBalancerIP);
    if (chosen.length > 0 && !isLacking) {
      this.#lacking.delete(key);
      return chosen;
    }
    this.#release(key);
    this.#lacking.add(key);
    const why = isLacking ? `${loadBalancerIP} cannot be given to it` : "no address is free for its ports";
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
