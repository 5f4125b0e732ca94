import { asBoxshipError, type BoxshipError } from "@boxship/base";

/** The answer to a request that failed (OCI distribution spec 1.1, "Error Codes"). */
export interface WireError {
  readonly status: number;
  readonly body: { readonly errors: readonly { code: string; message: string; detail?: unknown }[] };
}

const NOT_FOUND: Readonly<Record<string, string>> = {
  blob: "BLOB_UNKNOWN",
  manifest: "MANIFEST_UNKNOWN",
  repository: "NAME_UNKNOWN",
  upload: "BLOB_UPLOAD_UNKNOWN",
};
const INVALID: Readonly<Record<string, string>> = {
  blob: "DIGEST_INVALID",
  digest: "DIGEST_INVALID",
  manifest: "MANIFEST_INVALID",
  "manifest blob": "MANIFEST_BLOB_UNKNOWN",
  repository: "NAME_INVALID",
  size: "SIZE_INVALID",
  tag: "TAG_INVALID",
};

const EXHAUSTED: Readonly<Record<string, readonly [status: number, code: string]>> = {
  rate: [429, "TOOMANYREQUESTS"],
  body: [413, "SIZE_INVALID"],
  // Trying again does not help, which clients do after a status of 500 and above.
  quota: [403, "DENIED"],
};

/** Status and code of an error of the closed set; what it is about decides between the codes. */
export function wireError(thrown: unknown): WireError {
  const error = asBoxshipError(thrown);
  const [status, code] = statusOf(error);
  const { message, remedy, subject } = error;
  const detail = {
    ...(subject !== undefined && { [subject.kind]: subject.name }),
    ...(remedy !== undefined && { remedy }),
  };
  return { status, body: { errors: [{ code, message, ...(Object.keys(detail).length > 0 && { detail }) }] } };
}

function statusOf(error: BoxshipError): readonly [status: number, code: string] {
  const kind = error.subject?.kind ?? "";
  switch (error.code) {
    case "NotFound":
      return [404, NOT_FOUND[kind] ?? "NAME_UNKNOWN"];
    case "InvalidArgument":
      return kind === "upload range" ? [416, "BLOB_UPLOAD_INVALID"] : [400, INVALID[kind] ?? "UNSUPPORTED"];
    case "PermissionDenied":
      return kind === "credentials" ? [401, "UNAUTHORIZED"] : [403, "DENIED"];
    case "Conflict":
    case "AlreadyExists":
    case "FailedPrecondition":
      return [409, kind === "upload" ? "BLOB_UPLOAD_INVALID" : "DENIED"];
    case "Unsupported":
      return kind === "manifest" ? [400, "MANIFEST_INVALID"] : [405, "UNSUPPORTED"];
    case "ResourceExhausted":
      return EXHAUSTED[kind] ?? [507, "DENIED"];
    case "Unavailable":
    case "DeadlineExceeded":
      return [503, "UNKNOWN"];
    case "Internal":
      return [500, "UNKNOWN"];
  }
}
