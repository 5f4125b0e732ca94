import { badRequest } from "@boxship/api";

/** Where a list in pages goes on: opaque to clients. */
export interface ContinueToken {
  /** The revision of the whole list. */
  readonly revision: number;
  /** The first key of the next page, without the collection that it must lie in. */
  readonly start: string;
}

export function encodeContinue({ revision, start }: ContinueToken): string {
  return Buffer.from(JSON.stringify({ v: "meta.k8s.io/v1", rv: revision, start })).toString("base64url");
}

/** @throws BadRequest */
export function decodeContinue(text: string): ContinueToken {
  try {
    const { v, rv, start } = JSON.parse(Buffer.from(text, "base64url").toString("utf8")) as Record<string, unknown>;
    if (v === "meta.k8s.io/v1" && Number.isSafeInteger(rv) && typeof start === "string" && start.isWellFormed()) {
      return { revision: rv as number, start };
    }
  } catch {
    // Said below.
  }
  throw badRequest("continue key is not valid: incorrect encoding");
}
