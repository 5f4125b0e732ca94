import { verifyImage } from "@boxship/images";
import { formatReference, parseReference, withDefaultTag } from "@boxship/oci";
import { readPublicKey } from "@boxship/trust";
import { defineCommand } from "../command.ts";
import { print, warn } from "../context.ts";
import { Failure } from "../failure.ts";
import { keyValues, list } from "../flags/flag.ts";
import { accessFlags, registryAccess } from "../shared/registry-access.ts";
import { readKeyFile } from "./sign.ts";

export const command = defineCommand({
  usage: "[OPTIONS] --key FILE IMAGE [IMAGE...]",
  summary: "Verify the signatures of images in a registry with public keys",
  flags: {
    ...accessFlags,
    annotations: keyValues("What the signature must say", { short: "a" }),
    key: list("File of a public key; one of several must have signed", { hint: "path" }),
  },
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  async run(context, { flags, operands: names }) {
    if (flags.key.length === 0) throw new Failure("--key is needed: verifying without keys is not supported");
    const keys = flags.key.map((path) => readPublicKey(readKeyFile(path), path));
    for (const name of names) {
      const reference = withDefaultTag(parseReference(name));
      await using client = registryAccess(context, flags, reference.domain);
      const { digest, claims } = await verifyImage(client, reference, keys, flags.annotations);
      warn(context, `Verified ${formatReference(reference)}: ${digest}`);
      const shown = claims.map((claim) => ({
        critical: {
          identity: { "docker-reference": claim.identity },
          image: { "docker-manifest-digest": claim.digest },
          type: "cosign container image signature",
        },
        optional: claim.optional,
      }));
      print(context, JSON.stringify(shown));
    }
  },
});
