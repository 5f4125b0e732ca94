import { Conflict, FailedPrecondition, NotFound, PermissionDenied } from "@boxship/base";
import type { NetworkRecord } from "@boxship/network";
import type { EngineContext } from "../context.ts";

/** The network that pods are on. */
export const POD_NETWORK = "pods";

/**
 * The network of pods, made when the first one needs it. Its members do not find each other by name: that is for the
 * cluster's services.
 *
 * @param subnets one of each family at most. @default what it has; at first one of the instance's address pools
 * @throws FailedPrecondition where it has others and is used
 */
export function ensurePodNetwork(context: EngineContext, subnets?: readonly string[]): Promise<string> {
  const { network } = context;
  return context.locks.run("network of pods", async () => {
    const present = podNetwork(context);
    if (present !== undefined && (subnets === undefined || hasOnly(present, subnets))) return present.id;
    if (present !== undefined) await removeUnused(context, present, subnets ?? []);
    const { id } = await network.createNetwork({
      name: POD_NETWORK,
      options: { "com.boxship.network.names": "false" },
      enableIPv6: subnets?.some((subnet) => subnet.includes(":")) ?? false,
      ...(subnets === undefined ? {} : { ipam: { config: subnets.map((subnet) => ({ subnet })) } }),
    });
    return id;
  });
}

function podNetwork({ network }: EngineContext): NetworkRecord | undefined {
  try {
    return network.getNetwork(POD_NETWORK);
  } catch (error) {
    if (error instanceof NotFound) return undefined;
    throw error;
  }
}

function hasOnly({ ipam }: NetworkRecord, subnets: readonly string[]): boolean {
  return ipam.config.length === subnets.length && ipam.config.every(({ subnet }) => subnets.includes(subnet));
}

async function removeUnused(
  { network }: EngineContext,
  { id, ipam }: NetworkRecord,
  subnets: readonly string[],
): Promise<void> {
  try {
    await network.removeNetwork(id);
  } catch (cause) {
    if (!(cause instanceof Conflict || cause instanceof PermissionDenied || cause instanceof FailedPrecondition)) {
      throw cause;
    }
    const has = ipam.config.map(({ subnet }) => subnet).join(", ");
    throw new FailedPrecondition(`the network of pods has ${has} and cannot have ${subnets.join(", ")}`, {
      cause,
      subject: { kind: "network", name: POD_NETWORK },
      remedy: "delete its pods first, or leave --pod-cidr out",
    });
  }
}
