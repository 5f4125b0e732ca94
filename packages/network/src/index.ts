export type * from "./contract.ts";
export * from "./dns/message.ts";
export { type ResolverHandlers, ResolverServer } from "./dns/resolver-server.ts";
export { type Transport, type UpstreamServer, Upstreams } from "./dns/upstreams.ts";
export { readHostResolvers } from "./files/resolv-conf.ts";
export { filtersBridges } from "./firewall/filters-bridges.ts";
export type { ForwardedZone } from "./live.ts";
export { NetworkManager } from "./manager.ts";
export { clientNameChains, routeClientNames } from "./outside/client-name.ts";
export type { OutsidePorts, PortTarget } from "./outside/contract.ts";
export { type ForwardPortsOptions, forwardPorts } from "./outside/forward-ports.ts";
export { OutsidePortsClient } from "./outside/outside-ports.ts";
export { type RemoveTracesOptions, removeTraces } from "./remove-traces.ts";
export {
  frontKey,
  type ServiceFront,
  type ServicePlace,
  type ServiceTableSettings,
} from "./services/service-fronts.ts";
export { type ServiceChange, ServiceTable, type ServiceTableOptions } from "./services/service-table.ts";
