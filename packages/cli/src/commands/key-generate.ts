import { existsSync } from "node:fs";
import { writeFileAtomic } from "@boxship/base";
import { generateKeyPairFiles } from "@boxship/trust";
import { defineCommand } from "../command.ts";
import { warn } from "../context.ts";
import { Failure } from "../failure.ts";
import { text } from "../flags/flag.ts";
import { newPassphrase } from "../shared/passphrase.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  summary: "Make a pair of keys for signing images, in cosign's format",
  flags: { "output-key-prefix": text("Name of the files without .key and .pub", { initial: "cosign", hint: "path" }) },
  async run(context, { flags }) {
    const prefix = flags["output-key-prefix"];
    for (const path of [`${prefix}.key`, `${prefix}.pub`]) {
      if (existsSync(path))
        throw new Failure(`${path} is there already`, { remedy: "choose another --output-key-prefix" });
    }
    const { privateKey, publicKey } = await generateKeyPairFiles(await newPassphrase(context));
    await writeFileAtomic(`${prefix}.key`, privateKey, { mode: 0o600 });
    await writeFileAtomic(`${prefix}.pub`, publicKey, { mode: 0o644 });
    warn(context, `Private key written to ${prefix}.key`);
    warn(context, `Public key written to ${prefix}.pub`);
  },
});
