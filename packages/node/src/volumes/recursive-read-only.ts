import { InvalidArgument } from "@boxship/base";
import type { VolumeMount } from "../types.ts";

/** Whether a pod's mount asks for something that depends on what its runtime can do. */
export const asksForRecursive = ({ recursiveReadOnly = "Disabled" }: VolumeMount): boolean =>
  recursiveReadOnly !== "Disabled";

/**
 * Whether what is mounted below a read-only mount is to be read-only, too.
 *
 * @param able whether the pod's runtime can do that
 * @throws InvalidArgument in the kubelet's words: it must, and cannot
 */
export function isRecursive(mount: VolumeMount, able: boolean): boolean {
  if (!asksForRecursive(mount)) return false;
  const refused = (why: string) =>
    new InvalidArgument(
      `failed to resolve recursive read-only mode: volume "${mount.name}" requested recursive read-only mode, but it is ${why}`,
    );
  if (mount.readOnly !== true) throw refused("not read-only");
  const { mountPropagation: propagation = "None" } = mount;
  if (propagation !== "None") throw refused(`not compatible with propagation "${propagation}"`);
  if (able || mount.recursiveReadOnly === "IfPossible") return able;
  throw refused("not supported by the runtime");
}

/** How a mount is told of in its container's status, `core/v1.VolumeMountStatus`. */
export function mountStatus(mount: VolumeMount, able: boolean) {
  const { name, mountPath, readOnly = false } = mount;
  if (!readOnly) return { name, mountPath };
  return { name, mountPath, readOnly, recursiveReadOnly: recursiveWord(mount, able) };
}

function recursiveWord(mount: VolumeMount, able: boolean): "Enabled" | "Disabled" {
  try {
    return isRecursive(mount, able) ? "Enabled" : "Disabled";
  } catch {
    // Its container is not made, and says why.
    return "Disabled";
  }
}
