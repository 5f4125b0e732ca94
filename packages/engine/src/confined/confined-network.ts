import { NotFound, readIfPresent } from "@boxship/base";
import type { ExtraHost, NetworkManager } from "@boxship/network";
import { refusedHere } from "./confined-runtime.ts";

/** What the engine needs of networks. */
export type EngineNetwork = Pick<NetworkManager, keyof NetworkManager>;

/** The networks of an engine that has no right to make any: what it starts is in its own. */
export function confinedNetwork(resolvConf = "/etc/resolv.conf"): EngineNetwork {
  const refuse = () => Promise.reject(refusedHere());
  const nothing = () => Promise.resolve();
  const absent = (what: string, name: string): never => {
    throw new NotFound(`${what} ${name} not found`, { subject: { kind: what, name } });
  };
  return {
    createNetwork: refuse,
    checkNetwork: refuse,
    createSandbox: refuse,
    connect: refuse,
    disconnect: refuse,
    publish: refuse,
    unpublish: refuse,
    renameSandbox: refuse,
    removeNetwork: refuse,
    requireReady: refuse,
    ensureDefaultBridge: refuse,
    listNetworks: () => [],
    forwardZones: () => {},
    addressesOf: () => undefined,
    listEndpoints: () => [],
    listSandboxes: () => [],
    getNetwork: (name) => absent("network", name),
    getSandbox: (id) => absent("sandbox", id),
    resolvConf: (id) => absent("sandbox", id),
    hostsFile: (id) => absent("sandbox", id),
    hostResolvConf: () => withNewline(readIfPresent(resolvConf) ?? ""),
    hostGateways: () => [],
    hostHostsFile: (extraHosts?: readonly ExtraHost[]) =>
      withNewline(readIfPresent("/etc/hosts") ?? "") +
      (extraHosts ?? []).map(({ name, address }) => `${address}\t${name}\n`).join(""),
    removeSandbox: nothing,
    reconcile: nothing,
    warnings: () => Promise.resolve([]),
    warm: () => {},
    destroy: nothing,
    withdraw: nothing,
    [Symbol.asyncDispose]: nothing,
  };
}

function withNewline(text: string): string {
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}
