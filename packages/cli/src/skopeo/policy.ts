import { Unsupported } from "@boxship/base/errors";
import type { ImageName, RawManifest } from "@boxship/images";
import type { RegistryClient } from "@boxship/oci";
import type { SkopeoSession } from "./session.ts";

/** Asks the policy that `--policy` names whether an image may be copied. */
export function policyCheck(
  { global }: SkopeoSession,
  _source: ImageName,
  _client: RegistryClient,
): Promise<(manifest: RawManifest) => Promise<void>> {
  if (global.policy !== "") throw new Unsupported("--policy is not supported yet");
  return Promise.resolve(() => Promise.resolve());
}
