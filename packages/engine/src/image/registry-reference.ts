import { type CredentialSource, candidateReferences, credentialsFor, type Reference } from "@boxship/oci";
import type { RegistryCredentials } from "../engine-api.ts";
import { toCredentials } from "./image-pull.ts";

/** The reference that a text means to a registry. @throws InvalidArgument */
export function registryReference(text: string): Reference {
  const [reference] = candidateReferences(text);
  if (reference === undefined) throw new TypeError(`no candidates for ${text}`);
  return reference;
}

/** Credentials of a request, for the registry that it is about only. */
export function requestCredentials(
  reference: Reference,
  credentials: RegistryCredentials | undefined,
): { readonly credentials?: CredentialSource } {
  return credentials === undefined ? {} : { credentials: credentialsFor(reference.domain, toCredentials(credentials)) };
}
