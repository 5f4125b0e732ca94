import { type Engine, ensurePodNetwork, POD_NETWORK, VERSION } from "@boxship/engine";
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
      const usable = runtimes.filter((runtime) => runtime.usable);
      return {
        status: {
          conditions: [
            { type: "RuntimeReady", status: true },
            { type: "NetworkReady", status: true },
          ],
        },
        runtimeHandlers: ["", ...usable.map(({ name }) => name)].map((name) => ({
          name,
          features: { recursiveReadOnlyMounts: true, userNamespaces: false },
        })),
        features: { supplementalGroupsPolicy: false },
        ...(verbose
          ? { info: { runtimes: JSON.stringify(runtimes), default: fastest, podNetworks: await podNetworks(parts) } }
          : {}),
      };
    },
    runtimeConfig: async () => ({ linux: { cgroupDriver: CgroupDriver.Cgroupfs } }),
    async updateRuntimeConfig({ runtimeConfig }) {
      const asked = runtimeConfig?.networkConfig?.podCidr ?? "";
      if (asked !== "") await ensurePodNetwork(parts, asked.split(","));
      return {};
    },
  };
}

/** The subnets that pods get addresses of, as JSON. */
async function podNetworks(parts: Engine["parts"]): Promise<string> {
  await ensurePodNetwork(parts);
  return JSON.stringify(parts.network.getNetwork(POD_NETWORK).ipam.config.map(({ subnet }) => subnet));
}
