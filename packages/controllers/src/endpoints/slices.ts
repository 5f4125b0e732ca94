import { deepCopy, deepEqual, type KubeObject, timestamp } from "@boxship/api";
import { NotFound } from "@boxship/base";
import type { ControllerContext } from "../contract.ts";
import { controllerReference } from "../shared/owners.ts";
import { ENDPOINT_SLICES, refOf } from "../shared/resources.ts";
import type { Endpoint, EndpointPort, EndpointSlice } from "../types/services.ts";
import { type Family, portsKey, TRIGGER_TIME } from "./endpoints-of.ts";

export const SERVICE_NAME = "kubernetes.io/service-name";
export const MANAGED_BY = "endpointslice.kubernetes.io/managed-by";

type Texts = { [name: string]: string };

export interface SlicesOptions {
  readonly context: ControllerContext;
  /** Slices have its name, and go when it goes. */
  readonly owner: KubeObject;
  readonly labels: Texts;
  /** @default those that are there, and the time of the last change */
  readonly annotations?: Texts;
  readonly family: Family;
  readonly present: readonly EndpointSlice[];
  /** Endpoints of one slice at most. */
  readonly most: number;
  /** Where there are no endpoints, one slice says so. */
  readonly tellsNothing: boolean;
}

/** Endpoints with the same ports. */
export interface Wanted {
  readonly ports: readonly EndpointPort[];
  readonly endpoints: readonly Endpoint[];
}

const idOf = ({ targetRef, addresses }: Endpoint): string => targetRef?.uid ?? addresses[0] ?? "";

export async function removeSlice({ client }: ControllerContext, slice: EndpointSlice): Promise<void> {
  await client.delete(refOf(ENDPOINT_SLICES, slice)).catch((error: unknown) => {
    if (!(error instanceof NotFound)) throw error;
  });
}

/** The slices of one owner in one family of addresses. */
export class Slices {
  readonly #options: SlicesOptions;

  constructor(options: SlicesOptions) {
    this.#options = options;
  }

  async settle(groups: readonly Wanted[]): Promise<void> {
    const { present, context, tellsNothing } = this.#options;
    const kept = new Set<EndpointSlice>();
    for (const group of groups) {
      const slices = present.filter(({ ports }) => portsKey(ports) === portsKey(group.ports) && ports !== null);
      await this.#fill(group, slices, kept);
    }
    if (groups.length === 0 && tellsNothing) await this.#placeholder(kept);
    for (const slice of present) if (!kept.has(slice)) await removeSlice(context, slice);
  }

  /** Endpoints stay in their slices; new ones go where there is room, and then into new slices. */
  async #fill({ ports, endpoints }: Wanted, slices: readonly EndpointSlice[], kept: Set<EndpointSlice>): Promise<void> {
    const { most } = this.#options;
    const left = new Map(endpoints.map((endpoint) => [idOf(endpoint), endpoint]));
    const plans = slices.map((slice) => {
      const list = (slice.endpoints ?? []).flatMap((known) => {
        const endpoint = left.get(idOf(known));
        left.delete(idOf(known));
        return endpoint ?? [];
      });
      return { slice, list };
    });
    for (const { list } of plans) {
      for (const [id, endpoint] of left) {
        if (list.length >= most) break;
        list.push(endpoint);
        left.delete(id);
      }
    }
    for (const { slice, list } of plans) {
      if (list.length === 0) continue;
      kept.add(slice);
      await this.#update(slice, list, ports);
    }
    const rest = [...left.values()];
    for (let at = 0; at < rest.length; at += most) await this.#create(rest.slice(at, at + most), ports);
  }

  async #placeholder(kept: Set<EndpointSlice>): Promise<void> {
    const [first] = this.#options.present;
    if (first === undefined) {
      await this.#create([], null);
      return;
    }
    kept.add(first);
    await this.#update(first, [], null);
  }

  #annotations(present: Texts = {}): Texts {
    const { annotations, context } = this.#options;
    return annotations ?? { ...present, [TRIGGER_TIME]: timestamp(context.clock.now()) };
  }

  async #create(endpoints: readonly Endpoint[], ports: readonly EndpointPort[] | null): Promise<void> {
    const { owner, labels, family, context } = this.#options;
    const { name = "", namespace = "" } = owner.metadata;
    const slice: EndpointSlice = {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: {
        generateName: `${name}-`,
        namespace,
        labels,
        annotations: this.#annotations(),
        ownerReferences: [controllerReference(owner)],
      },
      addressType: family,
      endpoints: [...endpoints],
      ports: ports === null ? null : [...ports],
    };
    await context.client.create({ ...ENDPOINT_SLICES, namespace }, slice);
  }

  async #update(slice: EndpointSlice, endpoints: Endpoint[], ports: readonly EndpointPort[] | null): Promise<void> {
    const { labels, annotations, context } = this.#options;
    const samePorts = portsKey(slice.ports) === portsKey(ports);
    const isSame =
      samePorts &&
      deepEqual(slice.endpoints ?? [], endpoints) &&
      deepEqual(slice.metadata.labels, labels) &&
      (annotations === undefined || deepEqual(slice.metadata.annotations ?? {}, annotations));
    if (isSame) return;
    const copy = deepCopy(slice);
    copy.endpoints = endpoints;
    copy.ports = ports === null ? null : [...ports];
    copy.metadata.labels = labels;
    copy.metadata.annotations = this.#annotations(copy.metadata.annotations);
    await context.client.update(refOf(ENDPOINT_SLICES, slice), copy);
  }
}
