import { deepCopy, deepEqual, timestamp } from "@boxship/api";
import { errorMessage, NotFound } from "@boxship/base";
import type { ControllerContext, ControllerDefinition, Reconcile } from "../contract.ts";
import { controllerReference } from "../shared/owners.ts";
import { isNamespaceTerminating } from "../shared/pod-control.ts";
import { isTerminating } from "../shared/pods.ts";
import { ENDPOINT_SLICES, NODES, refOf, SERVICES } from "../shared/resources.ts";
import type { Endpoint, EndpointPort, EndpointSlice, Service } from "../types/services.ts";
import type { Node } from "../types/sets.ts";
import {
  endpointOf,
  type Family,
  groupByPorts,
  HEADLESS,
  isHeadless,
  isSelecting,
  portsKey,
  reachable,
  TRIGGER_TIME,
} from "./endpoints-of.ts";
import { podsOf, watchServices } from "./watch-services.ts";

const SERVICE_NAME = "kubernetes.io/service-name";
const MANAGED_BY = "endpointslice.kubernetes.io/managed-by";
const NAME = "endpointslice-controller.k8s.io";
/** Endpoints of one slice at most. */
const MOST = 100;

/** Tells of the pods behind services, a hundred at a time. */
export const endpointSliceController: ControllerDefinition = { name: "endpoint-slice-controller", open };

function open(context: ControllerContext): Reconcile {
  const { informers, queue } = context;
  const services = informers.of<Service>(SERVICES);
  const slices = informers.of<EndpointSlice>(ENDPOINT_SLICES);
  watchServices(context);
  informers.of<Node>(NODES).handle({});
  const touch = ({ metadata: { labels, namespace } }: EndpointSlice): void => {
    const service = labels?.[SERVICE_NAME];
    if (service !== undefined && labels?.[MANAGED_BY] === NAME) queue.add(`${namespace}/${service}`);
  };
  slices.handle({ updated: touch, deleted: touch });
  return async (key) => {
    const service = services.get(key);
    if (service === undefined || !isSelecting(service) || isTerminating(service)) return;
    try {
      await settle(context, service);
    } catch (error) {
      if (isNamespaceTerminating(error)) return;
      const message = `Error updating Endpoint Slices for Service ${key}: ${errorMessage(error)}`;
      context.events.record(service, "Warning", "FailedToUpdateEndpointSlices", message);
      throw error;
    }
  };
}

async function settle(context: ControllerContext, service: Service): Promise<void> {
  const { namespace = "", name } = service.metadata;
  const own = context.informers
    .of<EndpointSlice>(ENDPOINT_SLICES)
    .find("namespace", namespace)
    .filter(({ metadata: { labels } }) => labels?.[SERVICE_NAME] === name && labels?.[MANAGED_BY] === NAME);
  const families = (service.spec?.ipFamilies ?? ["IPv4"]) as readonly Family[];
  for (const family of families) {
    const mine = own.filter((slice) => slice.addressType === family && !isTerminating(slice));
    await new Slices(context, service, family, mine).settle();
  }
  const foreign = own.filter(({ addressType }) => !families.includes(addressType as Family));
  for (const slice of foreign) await remove(context, slice);
}

async function remove({ client }: ControllerContext, slice: EndpointSlice): Promise<void> {
  await client.delete(refOf(ENDPOINT_SLICES, slice)).catch((error: unknown) => {
    if (!(error instanceof NotFound)) throw error;
  });
}

interface Wanted {
  readonly ports: readonly EndpointPort[];
  readonly endpoints: Map<string, Endpoint>;
}

/** The slices of a service in one family of addresses. */
class Slices {
  readonly #context: ControllerContext;
  readonly #service: Service;
  readonly #family: Family;
  readonly #present: readonly EndpointSlice[];

  constructor(context: ControllerContext, service: Service, family: Family, present: readonly EndpointSlice[]) {
    this.#context = context;
    this.#service = service;
    this.#family = family;
    this.#present = present;
  }

  async settle(): Promise<void> {
    const groups = this.#wanted();
    const kept = new Set<EndpointSlice>();
    for (const group of groups) {
      const slices = this.#present.filter(({ ports }) => portsKey(ports) === portsKey(group.ports) && ports !== null);
      await this.#fill(group, slices, kept);
    }
    if (groups.length === 0) await this.#placeholder(kept);
    for (const slice of this.#present) if (!kept.has(slice)) await remove(this.#context, slice);
  }

  #wanted(): readonly Wanted[] {
    const nodes = this.#context.informers.of<Node>(NODES);
    const pods = reachable(podsOf(this.#context, this.#service), this.#family);
    return groupByPorts(this.#service, pods).map(({ ports, pods: members }) => ({
      ports,
      endpoints: new Map(
        members.map((pod) => [
          pod.metadata.uid ?? "",
          endpointOf(this.#service, pod, this.#family, nodes.get(pod.spec?.nodeName ?? "")),
        ]),
      ),
    }));
  }

  /** Endpoints stay in their slices; new ones go where there is room, and then into new slices. */
  async #fill({ ports, endpoints }: Wanted, slices: readonly EndpointSlice[], kept: Set<EndpointSlice>): Promise<void> {
    const left = new Map(endpoints);
    const plans = slices.map((slice) => {
      const list = (slice.endpoints ?? []).flatMap(({ targetRef }) => {
        const endpoint = left.get(targetRef?.uid ?? "");
        left.delete(targetRef?.uid ?? "");
        return endpoint ?? [];
      });
      return { slice, list };
    });
    for (const { list } of plans) {
      for (const [uid, endpoint] of left) {
        if (list.length >= MOST) break;
        list.push(endpoint);
        left.delete(uid);
      }
    }
    for (const { slice, list } of plans) {
      if (list.length === 0) continue;
      kept.add(slice);
      await this.#update(slice, list, ports);
    }
    const rest = [...left.values()];
    for (let at = 0; at < rest.length; at += MOST) await this.#create(rest.slice(at, at + MOST), ports);
  }

  /** A service without any pods has one slice that says so. */
  async #placeholder(kept: Set<EndpointSlice>): Promise<void> {
    const [first] = this.#present;
    if (first === undefined) {
      await this.#create([], null);
      return;
    }
    kept.add(first);
    await this.#update(first, [], null);
  }

  #labels(): { [label: string]: string } {
    const { labels = {}, name = "" } = this.#service.metadata;
    const own = { [SERVICE_NAME]: name, [MANAGED_BY]: NAME };
    return { ...labels, ...(isHeadless(this.#service) ? { [HEADLESS]: "" } : {}), ...own };
  }

  async #create(endpoints: readonly Endpoint[], ports: readonly EndpointPort[] | null): Promise<void> {
    const { name = "", namespace = "" } = this.#service.metadata;
    const slice: EndpointSlice = {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: {
        generateName: `${name}-`,
        namespace,
        labels: this.#labels(),
        annotations: { [TRIGGER_TIME]: timestamp(this.#context.clock.now()) },
        ownerReferences: [controllerReference(this.#service)],
      },
      addressType: this.#family,
      endpoints: [...endpoints],
      ports: ports === null ? null : [...ports],
    };
    await this.#context.client.create({ ...ENDPOINT_SLICES, namespace }, slice);
  }

  async #update(slice: EndpointSlice, endpoints: Endpoint[], ports: readonly EndpointPort[] | null): Promise<void> {
    const labels = this.#labels();
    const samePorts = portsKey(slice.ports) === portsKey(ports);
    if (samePorts && deepEqual(slice.endpoints ?? [], endpoints) && deepEqual(slice.metadata.labels, labels)) return;
    const copy = deepCopy(slice);
    copy.endpoints = endpoints;
    copy.ports = ports === null ? null : [...ports];
    copy.metadata.labels = labels;
    copy.metadata.annotations = { ...copy.metadata.annotations, [TRIGGER_TIME]: timestamp(this.#context.clock.now()) };
    await this.#context.client.update(refOf(ENDPOINT_SLICES, slice), copy);
  }
}
