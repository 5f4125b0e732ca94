import { randomBytes } from "node:crypto";
import { InvalidArgument, NotFound } from "@boxship/base";
import type { CreateNetworkOptions, NetworkDriver, NetworkRecord } from "../contract.ts";
import type { ManagerContext } from "../live.ts";
import type { StoredNetwork } from "../state/stored.ts";
import type { HostState } from "../worker/network-operations.ts";
import { type DriverSettings, parseDriverOptions } from "./driver-options.ts";
import { planAddresses, takenPrefixes } from "./network-addresses.ts";
import { chooseDevice } from "./network-device.ts";

const DRIVERS: readonly NetworkDriver[] = ["bridge", "host", "null", "macvlan", "ipvlan", "cni"];

/** What is made of a request once addresses and names are chosen. */
export interface NetworkPlan {
  readonly id: string;
  readonly options: CreateNetworkOptions;
  readonly driver: NetworkDriver;
  readonly settings: DriverSettings;
}

/** Checks a request as far as that goes without looking at the host. */
export function planNetwork(options: CreateNetworkOptions): NetworkPlan {
  const { name, ipam = {} } = options;
  const subject = { kind: "network", name };
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) {
    throw new InvalidArgument(`invalid network name ${JSON.stringify(name)}`, {
      subject,
      remedy: "use letters, digits, _, . and -, beginning with a letter or digit",
    });
  }
  const driver = DRIVERS.find((candidate) => candidate === (options.driver ?? "bridge"));
  if (driver === undefined) {
    throw new NotFound(`plugin ${JSON.stringify(options.driver)} not found: there is no such network driver`, {
      subject: { kind: "network driver", name: options.driver ?? "" },
      remedy: `use one of ${DRIVERS.join(", ")}`,
    });
  }
  if (ipam.driver !== undefined && ipam.driver !== "" && ipam.driver !== "default") {
    throw new NotFound(`plugin ${JSON.stringify(ipam.driver)} not found: there is no such IPAM driver`, {
      subject: { kind: "IPAM driver", name: ipam.driver },
    });
  }
  if (options.enableIPv4 === false && options.enableIPv6 !== true) {
    throw new InvalidArgument(`network ${name} would have neither IPv4 nor IPv6`, { subject });
  }
  const id = options.id ?? randomBytes(32).toString("hex");
  if (!/^[0-9a-f]{64}$/.test(id)) throw new InvalidArgument(`${JSON.stringify(id)} is no network id`, { subject });
  return { id, options, driver, settings: parseDriverOptions(driver, options.options ?? {}) };
}

/** Chooses addresses and device of a network that is not there yet. */
export function buildNetwork(
  context: ManagerContext,
  plan: NetworkPlan,
  host: HostState,
  predefined = false,
): StoredNetwork {
  const { id, options, driver } = plan;
  const device = chooseDevice(context, plan, host);
  const enableIPv4 = options.enableIPv4 ?? true;
  const enableIPv6 = options.enableIPv6 ?? false;
  const ipamOptions = options.ipam?.options;
  const taken = takenPrefixes(context, host, device.interfaceName);
  const internal = (options.internal ?? false) || device.internal;
  const hasGateway = usesGateway(plan.settings, internal);
  const config = planAddresses(context, options, driver, { enableIPv4, enableIPv6, hasGateway, taken });
  const record: NetworkRecord = {
    id,
    name: options.name,
    created: context.clock.now(),
    driver,
    scope: "local",
    internal,
    attachable: options.attachable ?? false,
    enableIPv4,
    enableIPv6,
    ipam: { driver: "default", ...(ipamOptions === undefined ? {} : { options: ipamOptions }), config },
    options: options.options ?? {},
    labels: options.labels ?? {},
    predefined,
    interfaceName: device.interfaceName,
  };
  const create = device.create === undefined ? {} : { createParent: device.create };
  return { record, ownsInterface: device.owned, ...create };
}

/** A bridge has an address itself; others need one only where packets leave through a router on the parent's network. */
function usesGateway(settings: DriverSettings, internal: boolean): boolean {
  if (settings.driver === "bridge") return true;
  return !internal && !(settings.driver === "ipvlan" && settings.mode !== "l2");
}
