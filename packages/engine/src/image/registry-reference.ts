import {
  anonymous,
  type CredentialSource,
  type Credentials,
  candidateReferences,
  credentialsFor,
  type Reference,
} from "@boxship/oci";
import type { RegistryCredentials } from "../engine-api.ts";

/** The reference that a text means to a registry. @throws InvalidArgument */
export function registryReference(text: string): Reference {
  const [reference] = candidateReferences(text);
  if (reference === undefined) throw new TypeError(`no candidates for ${text}`);
  return reference;
}

/** Credentials of a request, for the registry that it is about only; see {@link RegistryCredentials}. */
export function requestCredentials(
  reference: Reference,
  credentials: RegistryCredentials | undefined,
): { readonly credentials?: CredentialSource } {
  if (credentials === undefined) return {};
  if (Object.values(credentials).every((value) => value === "")) return { credentials: anonymous };
  return { credentials: credentialsFor(reference.domain, toCredentials(credentials)) };
}

export function toCredentials(credentials: RegistryCredentials): Credentials {
  const { username = "", password = "", identityToken, registryToken } = credentials;
  if (registryToken !== undefined && registryToken !== "") return { kind: "registry-token", token: registryToken };
  if (identityToken !== undefined && identityToken !== "") return { kind: "identity-token", token: identityToken };
  return { kind: "password", username, password };
}
