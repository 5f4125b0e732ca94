import {
  AlreadyExists,
  type BoxshipError,
  Conflict,
  DeadlineExceeded,
  FailedPrecondition,
  Internal,
  InvalidArgument,
  NotFound,
  PermissionDenied,
  ResourceExhausted,
  Unavailable,
  Unsupported,
} from "@boxship/base";
import { asCause, asText, type FieldError, MOST_TOLD } from "./field-error.ts";
import { failureStatus, STATUS_CODES, type Status, type StatusDetails, type StatusReason } from "./status.ts";

/** A resource of a group, as messages name it: `deployments.apps`, `pods`. */
export interface GroupResource {
  readonly group: string;
  readonly resource: string;
}

export function qualified({ group, resource }: GroupResource): string {
  return group === "" ? resource : `${resource}.${group}`;
}

const statuses = new WeakMap<BoxshipError, Status>();

/** The status that an error was made with. */
export function statusOf(error: BoxshipError): Status | undefined {
  return statuses.get(error);
}

function classOf(reason: StatusReason): new (message: string, details?: { cause?: unknown }) => BoxshipError {
  switch (reason) {
    case "NotFound":
      return NotFound;
    case "AlreadyExists":
      return AlreadyExists;
    case "Conflict":
      return Conflict;
    case "Unauthorized":
    case "Forbidden":
      return PermissionDenied;
    case "Gone":
    case "Expired":
      return FailedPrecondition;
    case "TooManyRequests":
    case "RequestEntityTooLarge":
      return ResourceExhausted;
    case "ServiceUnavailable":
      return Unavailable;
    case "Timeout":
      return DeadlineExceeded;
    case "InternalError":
      return Internal;
    case "NotImplemented":
    case "MethodNotAllowed":
    case "NotAcceptable":
    case "UnsupportedMediaType":
      return Unsupported;
    case "BadRequest":
    case "Invalid":
      return InvalidArgument;
  }
}

/** An error of the closed set that carries the status to answer with. */
export function failure(reason: StatusReason, message: string, details?: StatusDetails, cause?: unknown): BoxshipError {
  const error = new (classOf(reason))(message, cause === undefined ? {} : { cause });
  statuses.set(error, failureStatus(reason, message, details));
  return error;
}

/** An error that is answered with a status that somebody else has made. */
export function failureOf(status: Status): BoxshipError {
  const known = Object.entries(STATUS_CODES).find(([, code]) => code === status.code)?.[0];
  const error = new (classOf((known ?? "BadRequest") as StatusReason))(status.message ?? "");
  statuses.set(error, status);
  return error;
}

const detailsOf = ({ group, resource }: GroupResource, name: string): StatusDetails => ({
  ...(name === "" ? {} : { name }),
  ...(group === "" ? {} : { group }),
  kind: resource,
});

export const notFound = (resource: GroupResource, name: string): BoxshipError =>
  failure("NotFound", `${qualified(resource)} ${JSON.stringify(name)} not found`, detailsOf(resource, name));

export const alreadyExists = (resource: GroupResource, name: string): BoxshipError =>
  failure("AlreadyExists", `${qualified(resource)} ${JSON.stringify(name)} already exists`, detailsOf(resource, name));

export const CHANGED_MEANWHILE =
  "the object has been modified; please apply your changes to the latest version and try again";

export const conflict = (resource: GroupResource, name: string, why = CHANGED_MEANWHILE): BoxshipError =>
  failure(
    "Conflict",
    `Operation cannot be fulfilled on ${qualified(resource)} ${JSON.stringify(name)}: ${why}`,
    detailsOf(resource, name),
  );

export const forbidden = (resource: GroupResource, name: string, why: string): BoxshipError =>
  failure(
    "Forbidden",
    `${qualified(resource)}${name === "" ? "" : ` ${JSON.stringify(name)}`} is forbidden: ${why}`,
    detailsOf(resource, name),
  );

export const badRequest = (message: string): BoxshipError => failure("BadRequest", message);

/** The first thousand errors are told. @param kind with its group, e.g. `{ group: "apps", resource: "Deployment" }` */
export function invalidObject(kind: GroupResource, name: string, errors: readonly FieldError[]): BoxshipError {
  const told = errors.slice(0, MOST_TOLD);
  const texts = [...new Set(told.map(asText))];
  if (told.length < errors.length) texts.push(`more than ${MOST_TOLD} errors: what follows is not told`);
  const list = texts.length === 1 ? (texts[0] ?? "") : `[${texts.join(", ")}]`;
  return failure("Invalid", `${qualified(kind)} ${JSON.stringify(name)} is invalid: ${list}`, {
    ...detailsOf(kind, name),
    causes: told.map(asCause),
  });
}

export const methodNotAllowed = (): BoxshipError =>
  failure("MethodNotAllowed", "the server does not allow this method on the requested resource", {});

export const noSuchRoute = (): BoxshipError =>
  failure("NotFound", "the server could not find the requested resource", {});

export const expired = (message: string): BoxshipError => failure("Expired", message);

export const tooOld = (revision: number, oldest: number): BoxshipError =>
  expired(`too old resource version: ${revision} (${oldest})`);

export const notImplemented = (message: string): BoxshipError => failure("NotImplemented", message);
