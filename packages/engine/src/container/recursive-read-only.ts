import { FailedPrecondition } from "@boxship/base";
import type { EngineContext } from "../context.ts";
import type { MountPoint } from "./record.ts";

/** `mount_setattr(2)` came with Linux 5.12. */
const SINCE = [5, 12] as const;

function kernelCan({ runtime }: Pick<EngineContext, "runtime">): boolean {
  const { major, minor } = runtime.host.kernel;
  return major > SINCE[0] || (major === SINCE[0] && minor >= SINCE[1]);
}

/** Whether a runtime makes all read-only that is below a mount. @param name @default the engine's default */
export function canMakeRecursivelyReadOnly(context: Pick<EngineContext, "runtime">, name = ""): boolean {
  const { runtimes, default: usual } = context.runtime.info;
  const found = runtimes.find((one) => one.name === (name === "" ? usual : name));
  return kernelCan(context) && found?.mountsRecursiveReadOnly === true;
}

/**
 * Whether everything below a read-only bind is read-only, too.
 *
 * @param runtime whose mount it is, empty for the engine's default; undefined where the engine mounts it itself
 * @throws FailedPrecondition it must be, and cannot
 */
export function isRecursivelyReadOnly(context: EngineContext, point: MountPoint, runtime?: string): boolean {
  if (point.readWrite || point.type !== "bind" || point.nonRecursive === true) return false;
  if (point.readOnlyNonRecursive === true) return false;
  const able = kernelCan(context) && (runtime === undefined || canMakeRecursivelyReadOnly(context, runtime));
  if (able || point.readOnlyForceRecursive !== true) return able;
  const subject = { kind: "mount", name: point.destination };
  if (!kernelCan(context)) throw new FailedPrecondition("recursive read-only mounts need Linux 5.12", { subject });
  const name = runtime || context.runtime.info.default;
  throw new FailedPrecondition(`runtime ${name} has no recursive read-only mounts`, {
    subject,
    remedy: "use runc 1.1 or later, or crun 1.4 or later",
  });
}
