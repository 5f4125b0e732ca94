import { readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { InvalidArgument, NotFound } from "@boxship/base/errors";
import { defineCommand } from "../command.ts";
import { failureText } from "../failure-text.ts";
import { str } from "../flags.ts";
import { defaultKeyring, loadKeyring, verifiedText, verifyProvenance } from "../provenance/provenance.ts";

export const command = defineCommand({
  usage: "PATH [flags]",
  summary: "See that a packed chart is what somebody has signed",
  operands: { min: 1, max: 1 },
  flags: { keyring: str() },
  async run(surroundings, { flags, operands }) {
    const path = operands[0] ?? "";
    if ((await stat(path).catch(() => undefined))?.isDirectory() === true) {
      throw new InvalidArgument("unpacked charts cannot be verified", { remedy: "pack it by 'helm package'" });
    }
    const read = (file: string) =>
      readFile(file).catch((error: unknown) => {
        throw new NotFound(`could not load ${file}: ${failureText(error)}`, { cause: error });
      });
    const [archive, provenance] = [await read(path), await read(`${path}.prov`)];
    const keyring = await loadKeyring(flags.keyring || defaultKeyring(surroundings.io.env));
    surroundings.print(verifiedText(verifyProvenance(archive, basename(path), provenance, keyring)));
  },
});
