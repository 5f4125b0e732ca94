import { errorMessage } from "@boxship/base";
import type { ControllerContext, ControllerDefinition, Reconcile } from "../contract.ts";
import { isNamespaceTerminating } from "../shared/pod-control.ts";
import { isTerminating } from "../shared/pods.ts";
import { ENDPOINT_SLICES, NODES, SERVICES } from "../shared/resources.ts";
import type { EndpointSlice, Service } from "../types/services.ts";
import type { Node } from "../types/sets.ts";
import { endpointOf, type Family, groupByPorts, HEADLESS, isHeadless, isSelecting, reachable } from "./endpoints-of.ts";
import { hintsFor } from "./hints.ts";
import { MANAGED_BY, removeSlice, SERVICE_NAME, Slices, type Wanted } from "./slices.ts";
import { podsOf, watchServices } from "./watch-services.ts";

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
  slices.handle({
    added: touch,
    // Whoever changes its labels takes it from a service.
    updated(slice, before) {
      touch(before);
      touch(slice);
    },
    deleted: touch,
  });
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

const isOwnedBy = ({ metadata: { ownerReferences = [] } }: EndpointSlice, service: Service): boolean =>
  ownerReferences.some(({ uid }) => uid === service.metadata.uid);

async function settle(context: ControllerContext, service: Service): Promise<void> {
  const { namespace = "", name = "", labels: given = {} } = service.metadata;
  const own = context.informers
    .of<EndpointSlice>(ENDPOINT_SLICES)
    .find("namespace", namespace)
    .filter(({ metadata: { labels } }) => labels?.[SERVICE_NAME] === name && labels?.[MANAGED_BY] === NAME);
  const families = (service.spec?.ipFamilies ?? ["IPv4"]) as readonly Family[];
  // Those that say what slices are, are not the service's to give.
  const { [HEADLESS]: _, ...others } = given;
  const labels = {
    ...others,
    ...(isHeadless(service) ? { [HEADLESS]: "" } : {}),
    [SERVICE_NAME]: name,
    [MANAGED_BY]: NAME,
  };
  for (const family of families) {
    const present = own.filter(
      (slice) => slice.addressType === family && !isTerminating(slice) && isOwnedBy(slice, service),
    );
    const wanted = wantedOf(context, service, family);
    await new Slices({ context, owner: service, labels, family, present, most: MOST, tellsNothing: true }).settle(
      wanted,
    );
  }
  // Also those of another service that had its name, which go with that.
  const foreign = own.filter((slice) => !families.includes(slice.addressType as Family) || !isOwnedBy(slice, service));
  for (const slice of foreign) await removeSlice(context, slice);
}

function wantedOf(context: ControllerContext, service: Service, family: Family): readonly Wanted[] {
  const nodes = context.informers.of<Node>(NODES);
  const pods = reachable(podsOf(context, service), family);
  return groupByPorts(service, pods).map(({ ports, pods: members }) => ({
    ports,
    endpoints: members.map((pod) => {
      const endpoint = endpointOf(service, pod, family, nodes.get(pod.spec?.nodeName ?? ""));
      return { ...endpoint, ...hintsFor(service, endpoint) };
    }),
  }));
}
