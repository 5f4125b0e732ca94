import { errorMessage, systemCode } from "@boxship/base/errors";
import { Failure } from "../failure.ts";

/** The engine refused a request. */
export class ApiError extends Failure {
  /** HTTP status. */
  readonly httpStatus: number;
  /** What the engine said, without the words before it. */
  readonly reason: string;

  constructor(httpStatus: number, reason: string, remedy?: string) {
    super(`Error response from daemon: ${reason}`, { remedy });
    this.name = "ApiError";
    this.httpStatus = httpStatus;
    this.reason = reason;
  }

  /** @param body what came with the status: JSON with a message, or whatever a broken engine wrote */
  static of(status: number, body: string): ApiError {
    try {
      const { message, remedy } = JSON.parse(body) as { readonly message?: unknown; readonly remedy?: unknown };
      if (typeof message === "string") {
        return new ApiError(status, message.trim(), typeof remedy === "string" ? remedy : undefined);
      }
    } catch {
      // A proxy's page, or an engine that died while it wrote: the text itself is the best reason there is.
    }
    return new ApiError(status, body.trim() || `HTTP status ${status}`);
  }
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.httpStatus === 404;
}

const CAUSES: Readonly<Record<string, string>> = {
  ENOENT: "the socket does not exist",
  ECONNREFUSED: "nobody listens there",
  EACCES: "permission denied",
  EPERM: "permission denied",
  ECONNRESET: "the engine closed the connection",
  EPIPE: "the engine closed the connection",
};

/** What to say when the engine cannot be reached: which address, why, and what to do about it. */
export function connectionFailure(address: string, cause: unknown): Failure {
  if (cause instanceof Failure) return cause;
  const code = systemCode(cause) ?? "";
  const reason = CAUSES[code] ?? errorMessage(cause);
  const permission = code === "EACCES" || code === "EPERM";
  return new Failure(`cannot connect to the engine at ${address}: ${reason}`, {
    cause,
    remedy: permission
      ? "run it as root (sudo), or as a member of the group that owns the socket"
      : "start the engine with `boxship daemon`, or name another one with --host or --name",
  });
}

/** Whether a failed connection means that no daemon runs. */
export function isNobodyThere(cause: unknown): boolean {
  const code = systemCode(cause);
  return code === "ENOENT" || code === "ECONNREFUSED";
}
