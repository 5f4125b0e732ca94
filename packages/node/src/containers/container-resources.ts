import { Unsupported } from "@boxship/base";
import { amount } from "../status/qos.ts";
import type { ContainerSpec } from "../types.ts";

const PERIOD_US = 100_000;

/** What a container may use of the machine. @throws Unsupported for what cannot be limited */
export function containerResources({
  resources: { requests = {}, limits = {} } = {},
}: Pick<ContainerSpec, "resources">): {
  readonly cpuShares: number;
  readonly cpuPeriod?: number;
  readonly cpuQuota?: number;
  readonly memoryLimitInBytes?: number;
  readonly memorySwapLimitInBytes?: number;
} {
  const other = Object.keys(limits).find((name) => !["cpu", "memory", "ephemeral-storage"].includes(name));
  if (other !== undefined) throw new Unsupported(`limits of ${other} are not supported`);
  const shares = Math.round(amount(requests["cpu"] ?? limits["cpu"]) * 1024);
  const cores = amount(limits["cpu"]);
  const memory = Math.floor(amount(limits["memory"]));
  return {
    cpuShares: Math.max(2, shares),
    ...(cores > 0 ? { cpuPeriod: PERIOD_US, cpuQuota: Math.max(1000, Math.ceil(cores * PERIOD_US)) } : {}),
    // Without swap beyond the limit, as pods have none by themselves.
    ...(memory > 0 ? { memoryLimitInBytes: memory, memorySwapLimitInBytes: memory } : {}),
  };
}
