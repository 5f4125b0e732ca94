import { resolve } from "node:path";
import { type CopyRequest, describeName, type ImageName } from "@boxship/images";
import { formatReference, type RegistryClient, readSignatures, repositoryName } from "@boxship/oci";
import { checkImage, dockerScopes, type ImageToCheck, loadPolicy, pathScopes } from "@boxship/trust";
import type { SkopeoSession } from "./session.ts";

type Subject = Omit<ImageToCheck, "digests" | "signatures">;

/**
 * Asks the policy of `--policy`, or of this machine, whether an image may be copied.
 *
 * @throws PermissionDenied when the check refuses; InvalidArgument for a policy that cannot be read
 */
export async function policyCheck(
  { global, context }: SkopeoSession,
  source: ImageName,
  client: RegistryClient,
): Promise<NonNullable<CopyRequest["admit"]>> {
  const none = () => Promise.resolve();
  if (global["insecure-policy"]) return none;
  const policy = await loadPolicy(global.policy || undefined, context.env);
  if (policy === undefined) return none;
  const subject = subjectOf(source);
  return ({ digest }, root) => {
    const digests = [...new Set([root, digest])];
    return checkImage(policy, {
      ...subject,
      digests,
      signatures: async () => {
        if (source.transport !== "docker") return [];
        const found = await Promise.all(digests.map((one) => readSignatures(client, source.reference, one)));
        return found.flat();
      },
    });
  };
}

function subjectOf(source: ImageName): Subject {
  const { transport } = source;
  const name = describeName(source);
  if (!("path" in source) && source.transport !== "docker") return { name, transport, scopes: [source.image] };
  if (source.transport === "docker") {
    const { reference } = source;
    const repository = repositoryName(reference);
    const { tag, digest } = reference;
    const scopes = dockerScopes(repository, digest === undefined ? `:${tag ?? "latest"}` : `@${digest}`);
    return { name: formatReference(reference), transport, scopes, identity: { repository, tag, digest } };
  }
  const image = source.transport === "oci" || source.transport === "oci-archive" ? source.image : "";
  return { name, transport, scopes: pathScopes(resolve(source.path), image) };
}
