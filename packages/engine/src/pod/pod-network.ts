import { Conflict, errorMessage, FailedPrecondition, NotFound, PermissionDenied } from "@boxship/base";
import type { CreateNetworkOptions, NetworkRecord } from "@boxship/network";
import type { EngineContext } from "../context.ts";

/** The network that pods are on. */
export const POD_NETWORK = "pods";

/** How pods get addresses. */
export type PodNetworkChoice =
  /** By the engine itself. @param subnets one of each family at most. @default those that it has; at first one of its pools */
  | { readonly by: "engine"; readonly subnets?: readonly string[] }
  /** By CNI plugins: the first configuration of a directory, as it is when a pod is made. */
  | {
      readonly by: "plugins";
      readonly directory: string;
      /** Where programs are. @default those of the engine's configuration */
      readonly programs?: readonly string[];
    };

/**
 * The network of pods, made when the first one needs it. Its members do not find each other by name: that is for the
 * cluster's services.
 *
 * @param choice @default what there is; at first the engine's own
 * @throws FailedPrecondition where it is another one and is used, InvalidArgument, Conflict for subnets that cannot be; nothing has changed then
 */
export function ensurePodNetwork(context: EngineContext, choice?: PodNetworkChoice): Promise<string> {
  const { network } = context;
  return context.locks.run("network of pods", async () => {
    const present = podNetwork(context);
    if (present !== undefined && (choice === undefined || isSame(present, choice))) return present.id;
    const wanted = optionsOf(choice ?? { by: "engine" });
    if (present !== undefined) await network.checkNetwork(wanted, present.id);
    if (present !== undefined) await removeUnused(context, present, choice ?? { by: "engine" });
    const { id } = await network.createNetwork(wanted);
    return id;
  });
}

/** Networks that pods' addresses are of; undefined where plugins choose them. */
export async function podSubnets(context: EngineContext): Promise<readonly string[] | undefined> {
  await ensurePodNetwork(context);
  const present = context.network.getNetwork(POD_NETWORK);
  return present.driver === "cni" ? undefined : subnetsIn(present);
}

/** Why pods cannot have a network now; undefined when they can. */
export async function podNetworkProblem(context: EngineContext): Promise<string | undefined> {
  const present = podNetwork(context);
  if (present?.driver !== "cni") return undefined;
  return await context.network.requireReady(present.id).then(() => undefined, errorMessage);
}

function optionsOf(choice: PodNetworkChoice): CreateNetworkOptions {
  const names = { "com.boxship.network.names": "false" };
  if (choice.by === "plugins") {
    return { name: POD_NETWORK, driver: "cni", options: { ...names, ...pluginOptions(choice) } };
  }
  const { subnets } = choice;
  return {
    name: POD_NETWORK,
    options: names,
    enableIPv6: subnets?.some((subnet) => subnet.includes(":")) ?? false,
    ...(subnets === undefined ? {} : { ipam: { config: subnets.map((subnet) => ({ subnet })) } }),
  };
}

const pluginOptions = ({ directory, programs }: PodNetworkChoice & { by: "plugins" }): Record<string, string> => ({
  directory,
  ...(programs === undefined ? {} : { plugins: programs.join(":") }),
});

function podNetwork({ network }: EngineContext): NetworkRecord | undefined {
  try {
    return network.getNetwork(POD_NETWORK);
  } catch (error) {
    if (error instanceof NotFound) return undefined;
    throw error;
  }
}

function isSame({ driver, ipam, options }: NetworkRecord, choice: PodNetworkChoice): boolean {
  if (choice.by === "plugins") {
    const { directory, plugins } = pluginOptions(choice);
    return driver === "cni" && options["directory"] === directory && options["plugins"] === plugins;
  }
  const { subnets } = choice;
  if (driver === "cni" || subnets === undefined) return driver !== "cni";
  return ipam.config.length === subnets.length && ipam.config.every(({ subnet }) => subnets.includes(subnet));
}

async function removeUnused(
  { network }: EngineContext,
  present: NetworkRecord,
  choice: PodNetworkChoice,
): Promise<void> {
  try {
    await network.removeNetwork(present.id);
  } catch (cause) {
    if (!(cause instanceof Conflict || cause instanceof PermissionDenied || cause instanceof FailedPrecondition)) {
      throw cause;
    }
    const has = present.driver === "cni" ? `that of ${present.options["directory"]}` : subnetsIn(present).join(", ");
    const wanted =
      choice.by === "plugins" ? `that of ${choice.directory}` : (choice.subnets?.join(", ") ?? "the engine's own");
    throw new FailedPrecondition(`the network of pods has ${has} and cannot have ${wanted}`, {
      cause,
      subject: { kind: "network", name: POD_NETWORK },
      remedy: "delete its pods first, or leave --pod-cidr and --cni-conf-dir as they were",
    });
  }
}

const subnetsIn = ({ ipam }: NetworkRecord): readonly string[] => ipam.config.map(({ subnet }) => subnet);
