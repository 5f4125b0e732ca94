import { deepEqual, timestamp } from "@boxship/api";
import { AlreadyExists, errorMessage, NotFound } from "@boxship/base";
import { keyOf } from "@boxship/client";
import type { ControllerContext, ControllerDefinition, Reconcile } from "../contract.ts";
import { isNamespaceTerminating } from "../shared/pod-control.ts";
import { isReady, isTerminating } from "../shared/pods.ts";
import { ENDPOINTS, refOf, SERVICES } from "../shared/resources.ts";
import type { Pod } from "../types/pod.ts";
import type { EndpointAddress, EndpointSubset, Endpoints, Service } from "../types/services.ts";
import {
  addressOf,
  type Family,
  groupByPorts,
  HEADLESS,
  isHeadless,
  isSelecting,
  reachable,
  TRIGGER_TIME,
} from "./endpoints-of.ts";
import { podsOf, watchServices } from "./watch-services.ts";

const MANAGED_BY = "endpoints.kubernetes.io/managed-by";
const NAME = "endpoint-controller";
const OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity";
/** Addresses of one object at most. */
const MOST = 1000;

/** The pods behind services in the form that older clients read. */
export const endpointsController: ControllerDefinition = { name: NAME, open };

function open(context: ControllerContext): Reconcile {
  const { informers, queue, client } = context;
  const services = informers.of<Service>(SERVICES);
  const all = informers.of<Endpoints>(ENDPOINTS);
  watchServices(context);
  all.handle({ updated: (one) => queue.add(keyOf(one)), deleted: (one) => queue.add(keyOf(one)) });
  return async (key) => {
    const service = services.get(key);
    const present = all.get(key);
    if (service === undefined) {
      // Whoever made endpoints of a name that no service has keeps them.
      if (present !== undefined && present.metadata.labels?.[MANAGED_BY] === NAME) {
        await client.delete(refOf(ENDPOINTS, present)).catch((error: unknown) => {
          if (!(error instanceof NotFound)) throw error;
        });
      }
      return;
    }
    if (isSelecting(service) && !isTerminating(service)) await settle(context, service, present);
  };
}

async function settle(context: ControllerContext, service: Service, present: Endpoints | undefined): Promise<void> {
  const { client, clock, events } = context;
  const { name = "", namespace = "", labels: own } = service.metadata;
  const { subsets, isCut } = subsetsOf(context, service);
  const labels = { ...own, ...(isHeadless(service) ? { [HEADLESS]: "" } : {}), [MANAGED_BY]: NAME };
  const cut = isCut ? "truncated" : undefined;
  if (
    present !== undefined &&
    deepEqual(present.subsets ?? [], subsets) &&
    deepEqual(present.metadata.labels, labels)
  ) {
    if (present.metadata.annotations?.[OVER_CAPACITY] === cut) return;
  }
  const annotations: { [name: string]: string } = {
    ...present?.metadata.annotations,
    [TRIGGER_TIME]: timestamp(clock.now()),
  };
  if (cut === undefined) delete annotations[OVER_CAPACITY];
  else annotations[OVER_CAPACITY] = cut;
  const { resourceVersion } = present?.metadata ?? {};
  const metadata = {
    name,
    namespace,
    labels,
    annotations,
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
  const endpoints: Endpoints = { apiVersion: "v1", kind: "Endpoints", metadata, subsets };
  try {
    if (present === undefined) await client.create({ ...ENDPOINTS, namespace }, endpoints);
    else await client.update(refOf(ENDPOINTS, present), endpoints);
  } catch (error) {
    if (isNamespaceTerminating(error) || error instanceof AlreadyExists) return;
    const verb = present === undefined ? "create" : "update";
    const message = `Failed to ${verb} endpoint ${namespace}/${name}: ${errorMessage(error)}`;
    const reason = present === undefined ? "FailedToCreateEndpoint" : "FailedToUpdateEndpoint";
    events.record(service, "Warning", reason, message);
    throw error;
  }
}

function subsetsOf(context: ControllerContext, service: Service) {
  const family = (service.spec?.ipFamilies?.[0] ?? "IPv4") as Family;
  const unready = service.spec?.publishNotReadyAddresses === true;
  const pods = reachable(podsOf(context, service), family).filter((pod) => unready || !isTerminating(pod));
  const isCut = pods.length > MOST;
  const subsets = groupByPorts(service, pods.slice(0, MOST)).map(({ ports, pods: members }): EndpointSubset => {
    const isUp = (pod: Pod): boolean => unready || isReady(pod);
    const addresses = members.filter(isUp).map((pod) => addressFor(service, pod, family));
    const notReadyAddresses = members.filter((pod) => !isUp(pod)).map((pod) => addressFor(service, pod, family));
    const named = ports.map(({ name, ...port }) => (name === "" || name === undefined ? port : { name, ...port }));
    return {
      ...(addresses.length === 0 ? {} : { addresses }),
      ...(notReadyAddresses.length === 0 ? {} : { notReadyAddresses }),
      ...(named.length === 0 ? {} : { ports: named }),
    };
  });
  return { subsets, isCut };
}

function addressFor(service: Service, pod: Pod, family: Family): EndpointAddress {
  const { hostname, subdomain, nodeName } = pod.spec ?? {};
  const { namespace = "", name = "", uid = "" } = pod.metadata;
  return {
    ip: addressOf(pod, family) ?? "",
    ...(hostname !== undefined && subdomain === service.metadata.name ? { hostname } : {}),
    ...(nodeName === undefined ? {} : { nodeName }),
    targetRef: { kind: "Pod", namespace, name, uid },
  };
}
