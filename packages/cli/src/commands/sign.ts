import { readFileSync } from "node:fs";
import { errorMessage } from "@boxship/base/errors";
import { signImage } from "@boxship/images";
import { formatReference, parseReference, withDefaultTag, withDigest } from "@boxship/oci";
import { decryptPrivateKey } from "@boxship/trust";
import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { Failure } from "../failure.ts";
import { keyValues, text } from "../flags/flag.ts";
import { passphrase } from "../shared/passphrase.ts";
import { accessFlags, registryAccess } from "../shared/registry-access.ts";

export const command = defineCommand({
  usage: "[OPTIONS] --key FILE IMAGE [IMAGE...]",
  summary: "Sign images in a registry with a private key, in cosign's format",
  flags: {
    ...accessFlags,
    annotations: keyValues("More that the signature says", { short: "a" }),
    key: text("File of the private key, as `key generate` or cosign makes it", { hint: "path" }),
    "sign-container-identity": text("Name that is signed instead of the image's own", { hint: "name" }),
  },
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  async run(context, { flags, operands: names }) {
    if (flags.key === "") throw new Failure("--key is needed: signing without keys is not supported");
    const key = await decryptPrivateKey(readKeyFile(flags.key), await passphrase(context));
    for (const name of names) {
      const reference = withDefaultTag(parseReference(name));
      await using client = registryAccess(context, flags, reference.domain);
      const digest = await signImage({
        client,
        reference,
        key,
        annotations: flags.annotations,
        identity: flags["sign-container-identity"] || undefined,
      });
      print(context, `Signed ${formatReference(withDigest(reference, digest))}`);
    }
  },
});

export function readKeyFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new Failure(`cannot read the key ${path}: ${errorMessage(error)}`, { cause: error });
  }
}
