import { readFile } from "node:fs/promises";
import { errorMessage, PermissionDenied } from "@boxship/base";
import { readPublicKey } from "../keys/public-key.ts";
import { type ImageSignature, verifySignature } from "../signature/signature.ts";
import { type ImageIdentity, identityMatches } from "./identity.ts";
import { type KeySource, type Policy, type PolicySubject, type Requirement, requirementsFor } from "./policy.ts";

export interface ImageToCheck extends PolicySubject {
  /** As users know it, for messages. */
  readonly name: string;
  /** Its name in full. @default it has none, and no signature fits it */
  readonly identity?: ImageIdentity | undefined;
  /** Digests any of which a signature may be for: of the manifest, and of the index that leads to it. */
  readonly digests: readonly string[];
  /** Asked only if a requirement needs them. */
  readonly signatures: () => Promise<readonly ImageSignature[]>;
}

/**
 * Lets an image pass, or not.
 *
 * @throws PermissionDenied with the scope that refused it, and why
 */
export async function checkImage(policy: Policy, image: ImageToCheck): Promise<void> {
  const { scope, requirements } = requirementsFor(policy, image);
  for (const requirement of requirements) {
    const problem = await unfulfilled(requirement, image);
    if (problem === undefined) continue;
    throw new PermissionDenied(`image ${image.name} is rejected by policy: ${problem}`, {
      subject: { kind: "image", name: image.name },
      remedy: `${scope === "default" ? "the default" : `the entry for ${scope}`} in ${policy.name} says so`,
    });
  }
}

async function unfulfilled(requirement: Requirement, image: ImageToCheck): Promise<string | undefined> {
  switch (requirement.type) {
    case "insecureAcceptAnything":
      return undefined;
    case "reject":
      return "its registry or repository is not allowed";
    case "unsupported":
      return `the policy asks for ${requirement.name}, which is not supported`;
    case "sigstoreSigned":
      return unsigned(requirement, image);
    default:
      return requirement satisfies never;
  }
}

async function unsigned(
  requirement: Extract<Requirement, { type: "sigstoreSigned" }>,
  image: ImageToCheck,
): Promise<string | undefined> {
  const keys = await Promise.all(requirement.keys.map(readKey));
  const signatures = await image.signatures();
  if (signatures.length === 0) return "a signature was required, but no signature exists";
  const problems = new Set<string>();
  for (const signature of signatures) {
    const problem = rejected(signature, keys, requirement, image);
    if (problem === undefined) return undefined;
    problems.add(problem);
  }
  return [...problems].join("; ");
}

function rejected(
  signature: ImageSignature,
  keys: readonly ReturnType<typeof readPublicKey>[],
  { identity }: Extract<Requirement, { type: "sigstoreSigned" }>,
  image: ImageToCheck,
): string | undefined {
  try {
    const claim = verifySignature(signature, keys);
    if (claim === undefined) return "no key of the policy has made its signature";
    if (!image.digests.includes(claim.digest)) return `its signature is for another image, ${claim.digest}`;
    if (image.identity !== undefined && identityMatches(identity, image.identity, claim.identity)) return undefined;
    return `a signature for ${claim.identity} is not accepted for it`;
  } catch (error) {
    return errorMessage(error);
  }
}

async function readKey(source: KeySource): Promise<ReturnType<typeof readPublicKey>> {
  if (source.kind === "data") return readPublicKey(source.pem, "a key in the policy");
  const pem = await readFile(source.path).catch((error: unknown) => {
    throw new PermissionDenied(`a key of the policy cannot be read: ${errorMessage(error)}`, { cause: error });
  });
  return readPublicKey(pem, source.path);
}
