import { attachEndpoint, detachEndpoint, removeLink, setDefaultRoutes } from "./endpoint-operations.ts";
import {
  forgetFlows,
  forgetServiceClients,
  listForwardDrops,
  replaceServiceTable,
  runNft,
} from "./firewall-operations.ts";
import {
  adoptNamespace,
  prepareNamespaces,
  releaseNamespace,
  reopenResolver,
  writeSysctls,
} from "./namespace-operations.ts";
import {
  enableForwarding,
  ensureBridge,
  ensureParent,
  readHostState,
  requireLinkKind,
  routeLocalnet,
} from "./network-operations.ts";
import { findPortOwner } from "./port-owner.ts";

/** Everything the worker thread can do; synchronous functions of a context and one structured-clonable argument. */
export const operations = {
  attachEndpoint,
  detachEndpoint,
  enableForwarding,
  ensureBridge,
  ensureParent,
  findPortOwner,
  forgetFlows,
  forgetServiceClients,
  listForwardDrops,
  reopenResolver,
  prepareNamespaces,
  adoptNamespace,
  readHostState,
  releaseNamespace,
  removeLink,
  replaceServiceTable,
  requireLinkKind,
  routeLocalnet,
  runNft,
  setDefaultRoutes,
  writeSysctls,
} as const;

export type Operations = typeof operations;
export type OperationName = keyof Operations;
export type OperationArgument<Name extends OperationName> = Parameters<Operations[Name]>[1];
export type OperationResult<Name extends OperationName> = ReturnType<Operations[Name]>;
