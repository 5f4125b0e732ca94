import { isIP, isIPv6 } from "node:net";
import { errorMessage } from "@boxship/base";
import { keyOf } from "@boxship/client";
import type { ControllerContext, ControllerDefinition, Reconcile } from "../contract.ts";
import { isNamespaceTerminating } from "../shared/pod-control.ts";
import { isTerminating } from "../shared/pods.ts";
import { ENDPOINT_SLICES, ENDPOINTS, SERVICES } from "../shared/resources.ts";
import type { Endpoint, EndpointAddress, EndpointPort, EndpointSlice, Endpoints, Service } from "../types/services.ts";
import { type Family, portsKey, TRIGGER_TIME } from "./endpoints-of.ts";
import { MANAGED_BY, removeSlice, SERVICE_NAME, Slices, type Wanted } from "./slices.ts";

const NAME = "endpointslicemirroring-controller.k8s.io";
const SKIP = "endpointslice.kubernetes.io/skip-mirror";
const LEADER = "control-plane.alpha.kubernetes.io/leader";
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";
/** Addresses of one subset, and of one slice. */
const MOST = 1000;
const FAMILIES = ["IPv4", "IPv6"] as const;

/** Endpoints that somebody makes for a service without a selector, as slices. */
export const endpointSliceMirroringController: ControllerDefinition = {
  name: "endpoint-slice-mirroring-controller",
  open,
};

function open(context: ControllerContext): Reconcile {
  const { informers, queue } = context;
  const services = informers.of<Service>(SERVICES);
  const all = informers.of<Endpoints>(ENDPOINTS);
  const add = (one: Endpoints | Service): void => queue.add(keyOf(one));
  all.handle({ added: add, updated: add, deleted: add });
  services.handle({ added: add, updated: add, deleted: add });
  const touch = ({ metadata: { labels, namespace } }: EndpointSlice): void => {
    const name = labels?.[SERVICE_NAME];
    if (name !== undefined && labels?.[MANAGED_BY] === NAME) queue.add(`${namespace}/${name}`);
  };
  informers.of<EndpointSlice>(ENDPOINT_SLICES).handle({
    added: touch,
    // Whoever changes its labels takes it from a service.
    updated(slice, before) {
      touch(before);
      touch(slice);
    },
    deleted: touch,
  });
  return async (key) => {
    const endpoints = all.get(key);
    const own = slicesOf(context, key);
    if (endpoints === undefined || isTerminating(endpoints) || !isMirrored(endpoints, services.get(key))) {
      for (const slice of own) await removeSlice(context, slice);
      return;
    }
    try {
      await settle(context, endpoints, own);
    } catch (error) {
      if (isNamespaceTerminating(error)) return;
      const message = `Error updating Endpoint Slices for Endpoints ${key}: ${errorMessage(error)}`;
      context.events.record(endpoints, "Warning", "FailedToUpdateEndpointSlices", message);
      throw error;
    }
  };
}

function isMirrored({ metadata: { labels, annotations } }: Endpoints, service: Service | undefined): boolean {
  if (labels?.[SKIP] === "true" || annotations?.[LEADER] !== undefined) return false;
  return service !== undefined && service.spec?.selector === undefined;
}

function slicesOf({ informers }: ControllerContext, key: string): readonly EndpointSlice[] {
  const [namespace = "", name] = key.split("/");
  return informers
    .of<EndpointSlice>(ENDPOINT_SLICES)
    .find("namespace", namespace)
    .filter(({ metadata: { labels } }) => labels?.[SERVICE_NAME] === name && labels?.[MANAGED_BY] === NAME);
}

async function settle(context: ControllerContext, endpoints: Endpoints, own: readonly EndpointSlice[]): Promise<void> {
  const { name = "", labels: given = {}, annotations: told = {} } = endpoints.metadata;
  const labels = { ...given, [SERVICE_NAME]: name, [MANAGED_BY]: NAME };
  const { [TRIGGER_TIME]: _, [LAST_APPLIED]: __, ...annotations } = told;
  tellSkipped(context, endpoints);
  for (const family of FAMILIES) {
    const present = own.filter((slice) => slice.addressType === family && !isTerminating(slice));
    const slices = new Slices({
      context,
      owner: endpoints,
      labels,
      annotations,
      family,
      present,
      most: MOST,
      tellsNothing: false,
    });
    await slices.settle(wantedOf(endpoints, family));
  }
}

const addressesOf = (
  one: NonNullable<Endpoints["subsets"]>[number],
): readonly (readonly [EndpointAddress, boolean])[] => [
  ...(one.addresses ?? []).map((address) => [address, true] as const),
  ...(one.notReadyAddresses ?? []).map((address) => [address, false] as const),
];

/** Of each subset so many addresses as are mirrored, by ports. */
function wantedOf({ subsets }: Endpoints, family: Family): readonly Wanted[] {
  const groups = new Map<string, { readonly ports: readonly EndpointPort[]; readonly endpoints: Endpoint[] }>();
  for (const subset of subsets ?? []) {
    const ports = (subset.ports ?? []).map(({ name = "", ...port }) => ({ name, ...port }));
    const found = addressesOf(subset)
      .slice(0, MOST)
      .filter(([{ ip }]) => isIP(ip) !== 0 && isIPv6(ip) === (family === "IPv6"));
    if (found.length === 0) continue;
    const key = portsKey(ports);
    const group = groups.get(key) ?? { ports, endpoints: [] };
    groups.set(key, group);
    group.endpoints.push(...found.map(([address, ready]) => endpointFor(address, ready)));
  }
  return [...groups.values()];
}

function endpointFor({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint {
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname === undefined ? {} : { hostname }),
    ...(targetRef === undefined ? {} : { targetRef }),
    ...(nodeName === undefined ? {} : { nodeName }),
  };
}

function tellSkipped({ events }: ControllerContext, endpoints: Endpoints): void {
  let [invalid, beyond] = [0, 0];
  for (const subset of endpoints.subsets ?? []) {
    const all = addressesOf(subset);
    invalid += all.slice(0, MOST).filter(([{ ip }]) => isIP(ip) === 0).length;
    beyond += Math.max(0, all.length - MOST);
  }
  if (invalid > 0) {
    const message = `Skipped ${invalid} invalid IP addresses when mirroring to EndpointSlices`;
    events.record(endpoints, "Warning", "InvalidIPAddress", message);
  }
  if (beyond > 0) {
    const message = `A max of ${MOST} addresses can be mirrored to EndpointSlices per Endpoints subset. ${beyond} addresses were skipped`;
    events.record(endpoints, "Warning", "TooManyAddressesToMirror", message);
  }
}
