import { mkdir, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { AlreadyExists, InvalidArgument, Unsupported } from "@boxship/base/errors";
import { str } from "@boxship/kubectl/flags";
import { defineCommand } from "../command.ts";
import { SCAFFOLD } from "../scaffold/files.ts";

export const command = defineCommand({
  usage: "NAME [flags]",
  summary: "Make a folder with a new chart",
  operands: { min: 1, max: 1 },
  flags: { starter: str("", { short: "p" }) },
  async run(surroundings, { flags, operands }) {
    if (flags.starter !== "")
      throw new Unsupported("--starter is not supported", { remedy: "copy the folder and rename it" });
    const folder = (operands[0] ?? "").replace(/\/+$/, "");
    const name = basename(folder);
    if (!/^[a-zA-Z0-9._-]+$/.test(name) || name.length > 250) {
      throw new InvalidArgument(
        `chart name ${JSON.stringify(name)} is invalid: letters, digits, '.', '_' and '-' may stand in it`,
      );
    }
    const info = await stat(folder).catch(() => undefined);
    if (info !== undefined && !info.isDirectory())
      throw new AlreadyExists(`file ${folder} already exists and is not a directory`);
    surroundings.print(`Creating ${folder}`);
    await mkdir(join(folder, "charts"), { recursive: true });
    for (const [path, text] of Object.entries(SCAFFOLD)) {
      const target = join(folder, path);
      await mkdir(dirname(target), { recursive: true });
      await writeFile(
        target,
        text.replaceAll("NAME", () => name),
        { flag: "wx" },
      ).catch((error: unknown) => {
        throw new AlreadyExists(`file ${target} already exists`, { cause: error });
      });
    }
  },
});
