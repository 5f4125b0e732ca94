/**
 * The closed set of errors of the whole program. Every failure that leaves a package is one of these; each protocol
 * maps the `code` to its wire format in exactly one place.
 *
 * Messages start in lower case, name the object, and say what to do about it.
 */

/** The stable names of the error classes; wire mappers switch over them exhaustively. */
export type ErrorCode =
  | "NotFound"
  | "AlreadyExists"
  | "Conflict"
  | "InvalidArgument"
  | "FailedPrecondition"
  | "PermissionDenied"
  | "Unavailable"
  | "ResourceExhausted"
  | "DeadlineExceeded"
  | "Unsupported"
  | "Internal";

/** The thing an error is about, e.g. `{ kind: "container", name: "web" }`. */
export interface ErrorSubject {
  readonly kind: string;
  readonly name: string;
}

export interface ErrorDetails {
  /** What went wrong underneath. */
  readonly cause?: unknown;
  /** The object the error is about. */
  readonly subject?: ErrorSubject;
  /** What the user can do, as a sentence without a full stop. Appended to nothing: printers show it on its own line. */
  readonly remedy?: string;
}

/** Base of the closed set. Never thrown itself. */
export abstract class BoxshipError extends Error {
  abstract readonly code: ErrorCode;
  readonly subject: ErrorSubject | undefined;
  readonly remedy: string | undefined;

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.subject = details.subject;
    this.remedy = details.remedy;
  }
}

/** The named object does not exist. */
export class NotFound extends BoxshipError {
  readonly code = "NotFound";
}

/** An object of that name exists already. */
export class AlreadyExists extends BoxshipError {
  readonly code = "AlreadyExists";
}

/** The object is in use, or changed since it was read. */
export class Conflict extends BoxshipError {
  readonly code = "Conflict";
}

/** The request itself is malformed; the same request can never succeed. */
export class InvalidArgument extends BoxshipError {
  readonly code = "InvalidArgument";
}

/** The request is well-formed but the object's state does not allow it now. */
export class FailedPrecondition extends BoxshipError {
  readonly code = "FailedPrecondition";
}

/** The caller may not do this, or a remote party refused our credentials. */
export class PermissionDenied extends BoxshipError {
  readonly code = "PermissionDenied";
}

/** A party that is needed does not answer; the same request may succeed later. */
export class Unavailable extends BoxshipError {
  readonly code = "Unavailable";
}

/** Out of space, memory, addresses, quota or rate. */
export class ResourceExhausted extends BoxshipError {
  readonly code = "ResourceExhausted";
}

/** The time that was given ran out. */
export class DeadlineExceeded extends BoxshipError {
  readonly code = "DeadlineExceeded";
}

/** Named, understood, and not supported here. */
export class Unsupported extends BoxshipError {
  readonly code = "Unsupported";
}

/** A bug or a broken invariant of ours, or a failure of the host that nobody foresaw. */
export class Internal extends BoxshipError {
  readonly code = "Internal";
}

/** The class of each code, for errors that come from another thread or process. */
export const errorClasses: Readonly<Record<ErrorCode, new (message: string, details?: ErrorDetails) => BoxshipError>> =
  {
    NotFound,
    AlreadyExists,
    Conflict,
    InvalidArgument,
    FailedPrecondition,
    PermissionDenied,
    Unavailable,
    ResourceExhausted,
    DeadlineExceeded,
    Unsupported,
    Internal,
  };

/**
 * Anything thrown, as one of the closed set: ours pass through, the rest become {@link Internal} with a cause. Of an
 * error and others that followed while cleaning up after it, it is the first.
 */
export function asBoxshipError(thrown: unknown): BoxshipError {
  if (thrown instanceof BoxshipError) return thrown;
  if (thrown instanceof SuppressedError && thrown.suppressed instanceof BoxshipError) return thrown.suppressed;
  return new Internal(errorMessage(thrown), { cause: thrown });
}

/** The message of anything thrown. */
export function errorMessage(thrown: unknown): string {
  // Its own message says nothing: what is told is why the work failed, and then what went wrong in ending it.
  if (thrown instanceof SuppressedError) {
    return `${errorMessage(thrown.suppressed)}; then, while clearing up: ${errorMessage(thrown.error)}`;
  }
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The `code` of a Node or system-call error (`ENOENT`, …), or undefined. */
export function systemCode(thrown: unknown): string | undefined {
  if (typeof thrown !== "object" || thrown === null || !("code" in thrown)) return undefined;
  return typeof thrown.code === "string" ? thrown.code : undefined;
}
