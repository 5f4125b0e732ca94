import {
  type AdmitImage,
  familiarReference,
  type RegistryClient,
  type RequestOptions,
  readSignatures,
  repositoryName,
} from "@boxship/oci";
import { checkImage, dockerScopes, loadPolicy } from "@boxship/trust";

/**
 * Asks the policy about an image that is to be pulled. A signature of the index counts for its images, as the index names
 * their digests.
 *
 * @throws PermissionDenied if it may not be pulled; InvalidArgument for a policy that cannot be read
 */
export async function admitImage(
  client: RegistryClient,
  path: string | undefined,
  { reference, root, manifest }: Parameters<AdmitImage>[0],
  options: RequestOptions,
): Promise<void> {
  const policy = await loadPolicy(path, process.env);
  if (policy === undefined) return;
  const { tag, digest } = reference;
  const suffix = digest === undefined ? `:${tag ?? "latest"}` : `@${digest}`;
  const digests = [...new Set([root, manifest])];
  await checkImage(policy, {
    name: familiarReference(reference),
    transport: "docker",
    scopes: dockerScopes(repositoryName(reference), suffix),
    identity: {
      repository: repositoryName(reference),
      ...(digest === undefined ? { tag: tag ?? "latest" } : { digest }),
    },
    digests,
    signatures: async () => {
      const found = await Promise.all(digests.map((one) => readSignatures(client, reference, one, options)));
      return found.flat();
    },
  });
}
