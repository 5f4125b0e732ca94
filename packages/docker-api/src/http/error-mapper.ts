import { asBoxshipError, type BoxshipError, type ErrorCode } from "@boxship/base";
import { StartFailed } from "@boxship/engine";

/** An error as Docker's clients read it. */
export interface WireError {
  readonly status: number;
  readonly body: { readonly message: string; readonly remedy?: string };
}

/**
 * The one place where the closed set becomes HTTP status and JSON. Statuses are Docker's for the same failure.
 *
 * @param thrown anything; what is not of the closed set becomes a 500
 */
export function toWireError(thrown: unknown): WireError {
  const error = asBoxshipError(thrown);
  return {
    status: statusOf(error),
    body: {
      message: messageOf(error),
      ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
    },
  };
}

const STATUSES: Readonly<Record<ErrorCode, number>> = {
  NotFound: 404,
  InvalidArgument: 400,
  AlreadyExists: 409,
  Conflict: 409,
  FailedPrecondition: 409,
  PermissionDenied: 403,
  Unavailable: 503,
  Unsupported: 501,
  DeadlineExceeded: 504,
  ResourceExhausted: 500,
  Internal: 500,
};

function statusOf(error: BoxshipError): number {
  if (error instanceof StartFailed) return error.exitCode === 126 || error.exitCode === 127 ? 400 : 500;
  return STATUSES[error.code];
}

/**
 * Scripts and clients search for a few of Docker's sentences: what is not there, and why a command did not start (the
 * command line derives its exit statuses 126 and 127 from it). Everything else is the engine's own wording.
 */
export function messageOf(error: BoxshipError): string {
  if (error instanceof StartFailed) return startMessage(error);
  if (error.code !== "NotFound" || error.subject === undefined) return error.message;
  const { kind, name } = error.subject;
  switch (kind) {
    case "container":
      return `No such container: ${name}`;
    case "exec":
      return `No such exec instance: ${name}`;
    case "image":
      return `No such image: ${name}`;
    case "network":
      return `network ${name} not found`;
    case "volume":
      return `get ${name}: no such volume`;
    default:
      return error.message;
  }
}

const NOT_FOUND = /executable file not found|no such file or directory/;
const NOT_PERMITTED = /permission denied|is a directory/;

function startMessage(error: StartFailed): string {
  const { message, exitCode } = error;
  if (exitCode === 127 && !NOT_FOUND.test(message)) return `${message}: executable file not found in $PATH`;
  if (exitCode === 126 && !NOT_PERMITTED.test(message)) return `${message}: permission denied`;
  return message;
}
