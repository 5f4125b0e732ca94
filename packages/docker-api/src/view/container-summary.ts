import type { ContainerView } from "@boxship/engine";
import { commandLine } from "../format/command-line.ts";
import { containerStatus } from "../format/container-status.ts";
import { unixSeconds } from "../format/time.ts";
import { encodeEndpoints } from "./endpoint.ts";
import { encodeMountPoints } from "./mount-points.ts";
import { portList } from "./ports.ts";

/** One entry of `GET /containers/json`. */
export function encodeContainerSummary(view: ContainerView, now: number, version: number): Record<string, unknown> {
  const { annotations, networkMode } = view.hostConfig;
  return {
    Id: view.id,
    Names: [`/${view.name}`],
    Image: view.imageName,
    ImageID: view.imageId,
    Command: commandLine(view.effective),
    Created: unixSeconds(view.created),
    Ports: portList(view),
    ...(view.size === undefined ? {} : { SizeRw: view.size.writable, SizeRootFs: view.size.rootfs }),
    Labels: view.effective.labels,
    State: view.state.status,
    Status: containerStatus(view, now),
    HostConfig: {
      NetworkMode: networkMode ?? "default",
      ...(version >= 46 && annotations !== undefined ? { Annotations: annotations } : {}),
    },
    NetworkSettings: { Networks: encodeEndpoints(view, version) },
    Mounts: encodeMountPoints(view.mounts),
  };
}
