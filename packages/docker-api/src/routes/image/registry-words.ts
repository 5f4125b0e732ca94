import { NotFound, PermissionDenied } from "@boxship/base";

/**
 * A registry does not tell "not there" from "not for you": Docker makes both a 404. What a registry does not have is
 * told in the words of the registry client, not as an image that is missing here.
 */
export function inRegistrysWords(error: unknown): unknown {
  if (!(error instanceof PermissionDenied) && !(error instanceof NotFound)) return error;
  const remedy = error.remedy === undefined ? {} : { remedy: error.remedy };
  return new NotFound(error.message, { cause: error, ...remedy });
}
