import { readFile } from "node:fs/promises";
import { cut, splitCsv } from "../container-options/csv.ts";
import { Failure, FlagError } from "../failure.ts";

/** Reads `id=NAME[,src=FILE|,env=VARIABLE]` and what it names; base64 by id. */
export async function readSecrets(
  texts: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<Readonly<Record<string, string>>> {
  const secrets: Record<string, string> = {};
  for (const text of texts) {
    const fields = fieldsOf(text);
    const id = fields.get("id");
    if (id === undefined || id === "") throw new FlagError(`--secret: ${text} has no id`);
    const type = fields.get("type") ?? "";
    if (!["", "file", "env"].includes(type))
      throw new FlagError(`--secret: unsupported secret type ${JSON.stringify(type)}`);
    const path = fields.get("src") ?? fields.get("source");
    const variable = fields.get("env") ?? (type === "env" ? (path ?? id) : undefined);
    if (variable !== undefined || (type === "" && path === undefined && env[id] !== undefined)) {
      const value = env[variable ?? id];
      if (value === undefined) throw new Failure(`--secret: the variable ${variable} is not set`);
      secrets[id] = Buffer.from(value).toString("base64");
    } else secrets[id] = (await read(path ?? id)).toString("base64");
  }
  return secrets;
}

const FIELDS = ["id", "type", "src", "source", "env"];

function fieldsOf(text: string): ReadonlyMap<string, string> {
  return new Map(
    splitCsv(text).map((field) => {
      const [name, value] = cut(field);
      if (value === undefined)
        throw new FlagError(`--secret: invalid field ${JSON.stringify(field)}: must be a key=value pair`);
      if (!FIELDS.includes(name))
        throw new FlagError(`--secret: unexpected key ${JSON.stringify(name)} in ${JSON.stringify(field)}`);
      return [name, value];
    }),
  );
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new Failure(`--secret: cannot read ${path}`, { cause: error });
  }
}
