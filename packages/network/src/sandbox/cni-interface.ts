import type { ConnectOptions } from "../contract.ts";
import { startResolver } from "../dns/start-resolver.ts";
import type { LiveNetwork, LiveSandbox, ManagerContext } from "../live.ts";
import type { StoredEndpoint } from "../state/stored.ts";
import { attachCni, detachCni } from "./cni-attach.ts";
import { endpointSysctls } from "./endpoint-options.ts";
import { chooseGateways, defaultRoutes } from "./routes.ts";

/** Lets the plugins of a network make an interface; the endpoint as they made it. */
export async function makeCniInterface(
  context: ManagerContext,
  sandbox: LiveSandbox,
  network: LiveNetwork,
  planned: StoredEndpoint,
  options: ConnectOptions,
): Promise<StoredEndpoint> {
  const { path: namespace, endpoints } = sandbox.stored;
  const { interfaceName } = planned;
  const others = endpoints.filter(({ link }) => link !== undefined);
  try {
    // Plugins fail where there is a default route already.
    if (others.length > 0) await context.thread.call("setDefaultRoutes", { namespace, routes: {} });
    const { hostLink, mac, dns, ...addresses } = await attachCni(context, sandbox, network, interfaceName, options);
    const link = { kind: "cni", ...(hostLink === undefined ? {} : { hostLink }) } as const;
    const { nameservers, search, options: resolverOptions } = dns;
    const made: StoredEndpoint = { ...planned, ...addresses, mac, link, nameservers, search, resolverOptions };
    const sysctls = endpointSysctls(interfaceName, options);
    if (Object.keys(sysctls).length > 0) await context.thread.call("writeSysctls", { namespace, sysctls });
    await routeBy(context, sandbox, [...endpoints, made]);
    if (network.hasNames && sandbox.resolver === undefined) {
      startResolver(context, sandbox, await context.thread.call("reopenResolver", { namespace, again: false }));
    }
    return made;
  } catch (error) {
    await detachCni(context, planned);
    await routeBy(context, sandbox, endpoints);
    throw error;
  }
}

/** With several networks it is not the plugins that choose the way out. */
async function routeBy(
  context: ManagerContext,
  { stored }: LiveSandbox,
  endpoints: readonly StoredEndpoint[],
): Promise<void> {
  if (endpoints.filter(({ link }) => link !== undefined).length < 2) return;
  const routes = defaultRoutes(chooseGateways(context, endpoints));
  await context.thread.call("setDefaultRoutes", { namespace: stored.path, routes });
}
