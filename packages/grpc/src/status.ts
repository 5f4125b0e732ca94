import {
  AlreadyExists,
  asBoxshipError,
  Conflict,
  DeadlineExceeded,
  type ErrorCode,
  FailedPrecondition,
  Internal,
  InvalidArgument,
  NotFound,
  PermissionDenied,
  ResourceExhausted,
  Unavailable,
  Unsupported,
} from "@boxship/base";
import type { Init, ValueOf } from "./message.ts";
import { RpcStatus } from "./well-known.ts";

/** gRPC's status codes, by number. */
export const Code = {
  ok: 0,
  canceled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;

/** The end of a call, as `google.rpc.Status` has it. */
export type Status = ValueOf<typeof RpcStatus>;

const CODES: Readonly<Record<ErrorCode, number>> = {
  NotFound: Code.notFound,
  AlreadyExists: Code.alreadyExists,
  Conflict: Code.aborted,
  InvalidArgument: Code.invalidArgument,
  FailedPrecondition: Code.failedPrecondition,
  PermissionDenied: Code.permissionDenied,
  Unavailable: Code.unavailable,
  ResourceExhausted: Code.resourceExhausted,
  DeadlineExceeded: Code.deadlineExceeded,
  Unsupported: Code.unimplemented,
  Internal: Code.internal,
};

/** Further parts of an error that clients know how to show; see {@link statusOf}. */
export type ErrorDetail = Init<Status["details"][number]>;

/**
 * The one place where the closed set becomes a gRPC status.
 *
 * @param thrown anything; what is not of the closed set is internal, and an abort is a cancellation
 */
export function statusOf(thrown: unknown, details: readonly ErrorDetail[] = []): Init<Status> {
  if (thrown instanceof Error && thrown.name === "AbortError") return { code: Code.canceled, message: thrown.message };
  const error = asBoxshipError(thrown);
  const remedy = error.remedy === undefined ? "" : ` (${error.remedy})`;
  return { code: CODES[error.code], message: `${error.message}${remedy}`, details };
}

const codes = new WeakMap<Error, number>();

/** The code of the status that an error of {@link errorOf} stands for, as it was on the wire; undefined for others. */
export const codeOf = (error: unknown): number | undefined => (error instanceof Error ? codes.get(error) : undefined);

/** What grpc-go calls a code, e.g. `NotFound`. */
export function codeName(code: number): string {
  const name = Object.entries(Code).find(([, value]) => value === code)?.[0] ?? `Code(${code})`;
  return name === "ok" ? "OK" : `${name[0]?.toUpperCase()}${name.slice(1)}`;
}

/** The error that a status of the other side stands for. A cancellation is an `AbortError`. @param isPlain without `about` where there is a message */
export function errorOf(status: Init<Status>, about: string, isPlain = false): Error {
  const error = errorFor(status, about, isPlain);
  codes.set(error, status.code ?? Code.ok);
  return error;
}

function errorFor({ code, message = "" }: Init<Status>, about: string, isPlain: boolean): Error {
  const text = isPlain && message !== "" ? message : `${about}: ${message === "" ? `status ${code}` : message}`;
  switch (code) {
    case Code.canceled:
      return new DOMException(text, "AbortError");
    case Code.invalidArgument:
    case Code.outOfRange:
      return new InvalidArgument(text);
    case Code.deadlineExceeded:
      return new DeadlineExceeded(text);
    case Code.notFound:
      return new NotFound(text);
    case Code.alreadyExists:
      return new AlreadyExists(text);
    case Code.permissionDenied:
    case Code.unauthenticated:
      return new PermissionDenied(text);
    case Code.resourceExhausted:
      return new ResourceExhausted(text);
    case Code.unknown:
    case Code.failedPrecondition:
      return new FailedPrecondition(text);
    case Code.aborted:
      return new Conflict(text);
    case Code.unimplemented:
      return new Unsupported(text);
    case Code.unavailable:
      return new Unavailable(text);
    default:
      return new Internal(text);
  }
}
