import { readFile } from "node:fs/promises";
import { Failure, FlagError } from "../failure.ts";

/** Reads `id=NAME[,src=FILE|,env=VARIABLE]` and what it names; base64 by id. */
export async function readSecrets(
  texts: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<Readonly<Record<string, string>>> {
  const secrets: Record<string, string> = {};
  for (const text of texts) {
    const fields = new Map(
      text.split(",").map((field) => [field.split("=", 1)[0] ?? "", field.slice(field.indexOf("=") + 1)]),
    );
    const id = fields.get("id");
    if (id === undefined || id === "") throw new FlagError(`--secret: ${text} has no id`);
    const variable = fields.get("env");
    const path = fields.get("src") ?? fields.get("source");
    if (variable !== undefined || (path === undefined && env[id] !== undefined)) {
      const value = env[variable ?? id];
      if (value === undefined) throw new Failure(`--secret: the variable ${variable} is not set`);
      secrets[id] = Buffer.from(value).toString("base64");
    } else secrets[id] = (await read(path ?? id)).toString("base64");
  }
  return secrets;
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new Failure(`--secret: cannot read ${path}`, { cause: error });
  }
}
