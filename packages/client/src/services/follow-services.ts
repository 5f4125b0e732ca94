import type { JsonObject, KubeObject } from "@boxship/api";
import type { Clock, Logger } from "@boxship/base";
import type { ApiClient } from "../contract.ts";
import { Informer } from "../informer/informer.ts";
import { keyOf } from "../informer/object-index.ts";

export type ServicePort = {
  readonly name?: string;
  readonly protocol?: string;
  readonly port: number;
  readonly nodePort?: number;
};

/** What is read of `v1.Service`. */
export interface Service extends KubeObject {
  readonly spec?: JsonObject & {
    readonly type?: string;
    readonly clusterIP?: string;
    readonly clusterIPs?: string[];
    readonly externalIPs?: string[];
    readonly externalName?: string;
    readonly ipFamilies?: string[];
    readonly ports?: ServicePort[];
    readonly sessionAffinity?: string;
    readonly sessionAffinityConfig?: { readonly clientIP?: { readonly timeoutSeconds?: number } };
    readonly internalTrafficPolicy?: string;
    readonly externalTrafficPolicy?: string;
    readonly healthCheckNodePort?: number;
    readonly publishNotReadyAddresses?: boolean;
    readonly loadBalancerClass?: string;
    readonly loadBalancerIP?: string;
    readonly loadBalancerSourceRanges?: string[];
  };
  readonly status?: JsonObject & {
    readonly loadBalancer?: { readonly ingress?: { readonly ip?: string; readonly ipMode?: string }[] };
  };
}

export type ServiceEndpoint = {
  readonly addresses: string[];
  readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean };
  readonly hostname?: string;
  readonly nodeName?: string;
  readonly hints?: { readonly forZones?: { readonly name: string }[]; readonly forNodes?: { readonly name: string }[] };
  readonly targetRef?: { readonly kind?: string; readonly name?: string; readonly namespace?: string };
};

/** What is read of `discovery.k8s.io/v1.EndpointSlice`. */
export interface ServiceEndpointSlice extends KubeObject {
  readonly addressType?: string;
  readonly endpoints?: ServiceEndpoint[] | null;
  readonly ports?: { readonly name?: string; readonly protocol?: string; readonly port?: number }[] | null;
}

export interface FollowServicesOptions {
  readonly client: ApiClient;
  readonly logger: Logger;
  readonly clock?: Clock;
}

const SERVICE_NAME = "kubernetes.io/service-name";

/** A copy of the services and of where they lead to, for all who serve them. */
export class FollowServices implements AsyncDisposable {
  /** Resolves when what was there at the start is known. */
  readonly synced: Promise<void>;
  readonly #services: Informer<Service>;
  readonly #slices: Informer<ServiceEndpointSlice>;

  constructor(options: FollowServicesOptions) {
    const services = { group: "", version: "v1", resource: "services" };
    const slices = { group: "discovery.k8s.io", version: "v1", resource: "endpointslices" };
    this.#services = new Informer<Service>({ ...options, collection: services }).start();
    const indexers = { service: serviceOf };
    this.#slices = new Informer<ServiceEndpointSlice>({ ...options, collection: slices, indexers }).start();
    this.synced = Promise.all([this.#services.synced, this.#slices.synced]).then(() => {});
  }

  /** @param key `namespace/name` */
  get(key: string): Service | undefined {
    return this.#services.get(key);
  }

  all(): IterableIterator<Service> {
    return this.#services.all();
  }

  /** @param key of the service */
  slicesOf(key: string): readonly ServiceEndpointSlice[] {
    return this.#slices.find("service", key);
  }

  /** Hears the key of each service that there is, and again when it or what it leads to changes, or it goes. */
  onChange(changed: (key: string) => void): Disposable {
    const stack = new DisposableStack();
    const service = (object: Service): void => changed(keyOf(object));
    const slice = (object: ServiceEndpointSlice): void => serviceOf(object).forEach(changed);
    stack.use(this.#services.handle({ added: service, updated: service, deleted: service }));
    stack.use(
      this.#slices.handle({
        added: slice,
        updated(object, before) {
          slice(object);
          slice(before);
        },
        deleted: slice,
      }),
    );
    return stack;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#services[Symbol.asyncDispose](), this.#slices[Symbol.asyncDispose]()]);
  }
}

function serviceOf({ metadata: { namespace = "", labels } }: ServiceEndpointSlice): readonly string[] {
  const name = labels?.[SERVICE_NAME];
  return name === undefined ? [] : [`${namespace}/${name}`];
}
