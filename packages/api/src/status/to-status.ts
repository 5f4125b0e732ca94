import { asBoxshipError, type ErrorCode } from "@boxship/base";
import { statusOf } from "./failures.ts";
import { failureStatus, type Status, type StatusReason } from "./status.ts";

const REASONS: Readonly<Record<ErrorCode, StatusReason>> = {
  NotFound: "NotFound",
  AlreadyExists: "AlreadyExists",
  Conflict: "Conflict",
  InvalidArgument: "BadRequest",
  FailedPrecondition: "Conflict",
  PermissionDenied: "Forbidden",
  Unavailable: "ServiceUnavailable",
  ResourceExhausted: "InternalError",
  DeadlineExceeded: "Timeout",
  Unsupported: "NotImplemented",
  Internal: "InternalError",
};

/** Anything thrown as the status that answers it: the one place where errors become Kubernetes' wire format. */
export function toStatus(thrown: unknown): Status {
  const error = asBoxshipError(thrown);
  const known = statusOf(error);
  if (known !== undefined) return known;
  const reason = REASONS[error.code];
  const message = reason === "InternalError" ? `Internal error occurred: ${error.message}` : error.message;
  return failureStatus(reason, message);
}
