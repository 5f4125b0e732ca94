import {
  asBoxshipError,
  BoxshipError,
  Conflict,
  errorMessage,
  Internal,
  PermissionDenied,
  ResourceExhausted,
  systemCode,
  Unsupported,
} from "@boxship/base";
import { SyscallError } from "@boxship/kernel";

/** Passes on what `work` resolves to; what it throws becomes one of the closed set. */
export async function closedErrors<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw closedError(error);
  }
}

/** System-call errors, by what they mean when nothing on the way has said it better. */
export function closedError(error: unknown): BoxshipError {
  if (error instanceof BoxshipError) return error;
  if (!(error instanceof SyscallError) && ["ENOSPC", "EDQUOT"].includes(systemCode(error) ?? "")) {
    return new ResourceExhausted("no space left for the files of the network", {
      cause: error,
      remedy: "free space in the directories of the engine's state and its run-time state",
    });
  }
  const message = `the host's network cannot be changed: ${errorMessage(error)}`;
  const details = { cause: error };
  switch (systemCode(error)) {
    case "EOPNOTSUPP":
    case "EPROTONOSUPPORT":
    case "EAFNOSUPPORT":
      return new Unsupported(message, {
        ...details,
        remedy: "this kernel was built without it, or its module is missing",
      });
    case "EPERM":
    case "EACCES":
      return new PermissionDenied(message, { ...details, remedy: "run as root" });
    case "ENOSPC":
    case "ENOMEM":
    case "EMFILE":
    case "ENFILE":
      return new ResourceExhausted(message, details);
    case "EBUSY":
    case "EEXIST":
      return new Conflict(message, details);
    default:
      return asBoxshipError(error);
  }
}

/** A change of the firewall that the kernel refuses is our mistake or the kernel's, never the caller's. */
export function firewallError(error: unknown): BoxshipError {
  const closed = closedError(error);
  if (!(error instanceof SyscallError) || ["PermissionDenied", "ResourceExhausted"].includes(closed.code))
    return closed;
  return new Internal(`the firewall cannot be changed: ${error.message}`, {
    cause: error,
    remedy: "check that the kernel has nf_tables with NAT, fib and masquerade support",
  });
}
