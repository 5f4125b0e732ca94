import type { ResourceRequest } from "@boxship/runtime";
import type { HostConfig, Resources } from "./config.ts";

/** Limits in the runtime's terms. */
export function resourceRequest(resources: Resources, hostConfig: HostConfig = {}): ResourceRequest {
  const { pidsLimit, blkioWeightDevice, blkioDeviceReadBps, blkioDeviceWriteBps, ...plain } = resources;
  const { blkioDeviceReadIops, blkioDeviceWriteIops, ...same } = plain;
  return {
    ...same,
    ...(pidsLimit === undefined ? {} : { pids: pidsLimit }),
    ...(blkioWeightDevice === undefined ? {} : { blkioWeightDevices: blkioWeightDevice }),
    ...(blkioDeviceReadBps === undefined ? {} : { blkioReadBps: blkioDeviceReadBps }),
    ...(blkioDeviceWriteBps === undefined ? {} : { blkioWriteBps: blkioDeviceWriteBps }),
    ...(blkioDeviceReadIops === undefined ? {} : { blkioReadIops: blkioDeviceReadIops }),
    ...(blkioDeviceWriteIops === undefined ? {} : { blkioWriteIops: blkioDeviceWriteIops }),
    ...(hostConfig.deviceCgroupRules === undefined ? {} : { deviceCgroupRules: hostConfig.deviceCgroupRules }),
  };
}
