import { InvalidArgument } from "@boxship/base";
import { resolveCapabilities } from "./capabilities.ts";
import { parseDeviceRule } from "./devices.ts";
import type { HostFacts } from "./host.ts";
import { adaptOomScore, adaptRlimits } from "./limits.ts";
import type { SpecRequest } from "./request.ts";
import { resolveResources } from "./resources.ts";
import { resolveSysctls } from "./sysctls.ts";

/** What of a request can be judged before a container has a root filesystem, namespaces and devices. */
export type CheckedRequest = Pick<
  SpecRequest,
  | "capabilities"
  | "privileged"
  | "rlimits"
  | "oomScoreAdj"
  | "resources"
  | "shmSize"
  | "sysctls"
  | "namespaces"
  | "domainname"
>;

/**
 * Refuses what {@link buildSpec} would refuse later.
 *
 * @returns what will be adapted to this host, as sentences for the user
 * @throws InvalidArgument, Unsupported naming the value
 */
export function checkRequest(request: CheckedRequest, host: HostFacts): readonly string[] {
  resolveCapabilities({ ...request.capabilities, privileged: request.privileged ?? false }, host.capabilities);
  for (const rule of request.resources?.deviceCgroupRules ?? []) parseDeviceRule(rule);
  const { shmSize = 0 } = request;
  if (shmSize < 0) throw new InvalidArgument(`SHM size can not be less than 0: ${shmSize}`);
  resolveSysctls(request.sysctls ?? {}, request.namespaces ?? {}, request.domainname, host.highestGroup);
  return [
    ...adaptRlimits(request.rlimits ?? [], host).warnings,
    ...adaptOomScore(request.oomScoreAdj ?? 0, host).warnings,
    ...resolveResources(request.resources ?? {}, host).warnings,
  ];
}
