export type * from "./contract.ts";
export { NetworkManager } from "./manager.ts";
export { clientNameChains, routeClientNames } from "./outside/client-name.ts";
export type { OutsidePorts, PortTarget } from "./outside/contract.ts";
export { type ForwardPortsOptions, forwardPorts } from "./outside/forward-ports.ts";
export { OutsidePortsClient } from "./outside/outside-ports.ts";
export { type RemoveTracesOptions, removeTraces } from "./remove-traces.ts";
