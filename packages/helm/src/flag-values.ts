import type { FlagValues } from "@boxship/base/parse-flags";
import type { Io } from "@boxship/kubectl/cluster";
import type { valueFlags } from "./cluster-flags.ts";
import type { Dict } from "./functions/go-values.ts";
import { readValues } from "./values/read-values.ts";

/** Values of the command line. */
export async function valuesOf(flags: FlagValues<typeof valueFlags>, { stdin }: Io): Promise<Dict> {
  const readInput = async (): Promise<string> => {
    const chunks: Buffer[] = [];
    for await (const chunk of stdin) chunks.push(Buffer.from(chunk as Uint8Array));
    return Buffer.concat(chunks).toString("utf8");
  };
  return await readValues({
    files: flags.values.flatMap((paths) => paths.split(",")),
    json: flags["set-json"],
    set: flags.set,
    strings: flags["set-string"],
    fromFiles: flags["set-file"],
    literals: flags["set-literal"],
    readInput,
  });
}
