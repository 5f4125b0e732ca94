import type { EngineContext } from "../context.ts";
import type { LinkedContainer } from "./link-environment.ts";
import { DEFAULT_NETWORK } from "./network-mode.ts";
import type { ContainerRecord } from "./record.ts";

/** Those of `--link` that run; on networks with names nobody is told by variables. */
export function linkedContainers(
  context: EngineContext,
  { hostConfig, endpoints }: ContainerRecord,
): LinkedContainer[] {
  const own = endpoints.find(({ networkName }) => networkName === DEFAULT_NETWORK);
  if (own === undefined) return [];
  return (hostConfig.links ?? []).flatMap((link) => {
    const [ref = "", alias = ref] = link.split(":");
    const other = context.containers.find(ref);
    const address = other?.endpoints.find(({ networkId }) => networkId === own.networkId)?.active?.ipv4?.address;
    if (other === undefined || address === undefined) return [];
    const { exposedPorts, env } = other.effective;
    return [{ alias, address, exposedPorts, env }];
  });
}
