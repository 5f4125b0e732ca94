import type { RegistryCredentials } from "@boxship/engine";
import { decodeBody, field, isObject, object, string } from "./codec.ts";

export interface RegistryAuth extends RegistryCredentials {
  readonly serverAddress?: string;
  /** `user:password` in base64, as it stands in a client's configuration file. */
  readonly auth?: string;
}

const fields = object<RegistryAuth>("AuthConfig", {
  username: field("username", string),
  password: field("password", string),
  auth: field("auth", string),
  serverAddress: field("serveraddress", string),
  identityToken: field("identitytoken", string),
  registryToken: field("registrytoken", string),
});

/** `AuthConfig`: a log-in, from a body or from `X-Registry-Auth`. */
export const registryAuth: typeof fields = {
  ...fields,
  decode(value, at, context) {
    const { auth, ...rest } = fields.decode(value, at, context);
    if (auth === undefined || rest.username !== undefined) return rest;
    const [username = "", ...password] = Buffer.from(auth, "base64").toString("utf8").split(":");
    return { ...rest, username, password: password.join(":") };
  },
};

/**
 * Credentials from the header `X-Registry-Auth` (base64, either alphabet). As with Docker a pull with an unreadable
 * header is tried without credentials, because old clients send odd ones; a registry that needs them says so. Without one
 * they are empty: what the daemon's own user is logged in to is not for whoever reaches a socket.
 */
export function credentialsFromHeader(header: string | readonly string[] | undefined): RegistryCredentials {
  if (typeof header !== "string" || header === "") return {};
  const { serverAddress: _, ...credentials } = parseHeader(header) ?? {};
  return credentials;
}

function parseHeader(header: string): RegistryAuth | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(header, "base64url").toString("utf8"));
    return isObject(value) ? decodeBody(registryAuth, value, { version: 0, warnings: [] }) : undefined;
  } catch {
    return undefined;
  }
}
