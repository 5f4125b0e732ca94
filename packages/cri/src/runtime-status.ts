import {
  canHaveUsers,
  canMakeRecursivelyReadOnly,
  type Engine,
  type EngineContext,
  ensurePodNetwork,
  podNetworkProblem,
  podSubnets,
  VERSION,
} from "@boxship/engine";
import type { CriHandlers } from "./contract.ts";
import { CgroupDriver } from "./messages/values.ts";

type StatusHandlers = Pick<CriHandlers, "version" | "status" | "runtimeConfig" | "updateRuntimeConfig">;

/** What the engine is and can do. */
export function statusHandlers({ parts }: Engine): StatusHandlers {
  return {
    version: async () => ({
      version: "0.1.0",
      runtimeName: "boxship",
      runtimeVersion: VERSION,
      runtimeApiVersion: "v1",
    }),
    async status({ verbose }) {
      const { runtimes, default: fastest } = parts.runtime.info;
      const problem = await podNetworkProblem(parts);
      const usable = runtimes.filter((runtime) => runtime.usable);
      return {
        status: {
          conditions: [
            { type: "RuntimeReady", status: true },
            {
              type: "NetworkReady",
              status: problem === undefined,
              ...(problem === undefined
                ? {}
                : { reason: "NetworkPluginNotReady", message: `Network plugin returns error: ${problem}` }),
            },
          ],
        },
        runtimeHandlers: ["", ...usable.map(({ name }) => name)].map((name) => ({
          name,
          features: {
            recursiveReadOnlyMounts: canMakeRecursivelyReadOnly(parts, name),
            userNamespaces: canHaveUsers(parts, name),
          },
        })),
        features: { supplementalGroupsPolicy: true },
        ...(verbose
          ? { info: { runtimes: JSON.stringify(runtimes), default: fastest, ...(await podNetworks(parts)) } }
          : {}),
      };
    },
    runtimeConfig: async () => ({ linux: { cgroupDriver: CgroupDriver.Cgroupfs } }),
    async updateRuntimeConfig({ runtimeConfig }) {
      const asked = runtimeConfig?.networkConfig?.podCidr ?? "";
      if (asked !== "") await changeSubnets(parts, asked.split(","));
      return {};
    },
  };
}

/** Who has chosen plugins has said, too, what they give. */
async function changeSubnets(parts: EngineContext, subnets: readonly string[]): Promise<void> {
  if ((await podSubnets(parts)) !== undefined) await ensurePodNetwork(parts, { by: "engine", subnets });
}

/** The subnets that pods get addresses of, as JSON; nothing where plugins choose them. */
async function podNetworks(parts: EngineContext): Promise<{ readonly podNetworks?: string }> {
  const subnets = await podSubnets(parts);
  return subnets === undefined ? {} : { podNetworks: JSON.stringify(subnets) };
}
