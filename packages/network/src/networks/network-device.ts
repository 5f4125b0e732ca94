import { Conflict, InvalidArgument } from "@boxship/base";
import type { LiveNetwork, ManagerContext } from "../live.ts";
import { bridgeName, parentName } from "../names.ts";
import type { StoredNetwork } from "../state/stored.ts";
import type { HostState } from "../worker/network-operations.ts";
import type { DriverSettings } from "./driver-options.ts";
import type { NetworkPlan } from "./network-plan.ts";

/** The link that joins a network's members. */
export interface Device {
  readonly interfaceName: string;
  readonly owned: boolean;
  readonly create?: StoredNetwork["createParent"];
  /** A parent of our own leads nowhere. */
  readonly internal: boolean;
}

/** Chooses a network's bridge or parent; nothing is made yet. */
export function chooseDevice(context: ManagerContext, { id, settings, options }: NetworkPlan, host: HostState): Device {
  const exists = (name: string): boolean => host.links.some((link) => link.name === name);
  if (settings.driver === "bridge") {
    const name = settings.bridgeName ?? bridgeName(context.name, id);
    refuseSharedDevice(context, name, options.name);
    return { interfaceName: name, owned: !exists(name), internal: false };
  }
  const parent = settings.driver === "macvlan" || settings.driver === "ipvlan" ? settings.parent : undefined;
  if (parent === undefined || parent === "") {
    // As Docker does: without a parent, a link of our own joins the members, and nobody else.
    return { interfaceName: parentName(context.name, id), owned: true, create: { kind: "dummy" }, internal: true };
  }
  refuseSharedParent(context, parent, options.name, settings);
  if (exists(parent)) return { interfaceName: parent, owned: false, internal: false };
  const vlan = /^(.+)\.(\d{1,4})$/.exec(parent);
  const vlanId = Number(vlan?.[2] ?? 0);
  if (vlan?.[1] === undefined || vlanId < 1 || vlanId > 4094) {
    throw new InvalidArgument(`parent interface ${parent} does not exist`, {
      subject: { kind: "interface", name: parent },
    });
  }
  return { interfaceName: parent, owned: true, create: { kind: "vlan", on: vlan[1], id: vlanId }, internal: false };
}

function usersOf(context: ManagerContext, device: string): LiveNetwork[] {
  return [...context.networks.values()].filter(({ record }) => record.interfaceName === device);
}

function refuseSharedDevice(context: ManagerContext, device: string, name: string): void {
  const [other] = usersOf(context, device);
  if (other === undefined) return;
  throw new Conflict(`network ${name} would use ${device}, which network ${other.record.name} uses`, {
    subject: { kind: "network", name },
  });
}

/** Several networks may be on one parent as far as the kernel lets them: it has one way to treat a parent's packets. */
function refuseSharedParent(context: ManagerContext, parent: string, name: string, settings: DriverSettings): void {
  const fail = (other: LiveNetwork, why: string): never => {
    throw new Conflict(
      `network ${name} cannot share parent interface ${parent} with network ${other.record.name}: ${why}`,
      {
        subject: { kind: "network", name },
      },
    );
  };
  for (const other of usersOf(context, parent)) {
    const theirs = other.settings;
    if (theirs.driver !== settings.driver) fail(other, `that is a ${theirs.driver} network`);
    if (theirs.driver === "macvlan" && settings.driver === "macvlan") {
      if (theirs.mode === "passthru" || settings.mode === "passthru") fail(other, "mode passthru takes it whole");
    }
    if (theirs.driver === "ipvlan" && settings.driver === "ipvlan") {
      if (theirs.mode !== settings.mode) fail(other, `that has mode ${theirs.mode}`);
      if (theirs.flag !== settings.flag) fail(other, `that has the flag ${theirs.flag}`);
    }
  }
}
