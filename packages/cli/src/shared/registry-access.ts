import type { RegistryClient } from "@boxship/oci";
import type { Context } from "../context.ts";
import type { FlagValues } from "../flags/flag.ts";
import { imageFlags } from "../skopeo/flags.ts";
import { registryClient } from "../skopeo/surroundings.ts";

const { authfile, "cert-dir": certDir, creds, "tls-verify": tlsVerify } = imageFlags;

/** How a command that speaks to a registry itself reaches it. */
export const accessFlags = { authfile, "cert-dir": certDir, creds, "tls-verify": tlsVerify } as const;

/** A client for the registry of a host, with the credentials that flags or files give. */
export function registryAccess(
  context: Context,
  flags: FlagValues<typeof accessFlags>,
  domain: string,
): RegistryClient {
  const rest = { "no-creds": false, password: "", "registry-token": "", username: "" };
  return registryClient(context.env, { ...rest, ...flags }, domain);
}
