import { readFile } from "node:fs/promises";
import { InvalidArgument, NotFound, systemCode, Unavailable } from "@boxship/base/errors";
import { type Dict, getKey, isDict, putKey } from "../functions/go-values.ts";
import { readYaml } from "../functions/yaml.ts";
import { setLiteral, setValues, typedValue } from "./set-values.ts";

/** Where values come from; later ones win. */
export interface ValueOptions {
  /** Files, addresses, or `-`. */
  readonly files?: readonly string[];
  readonly json?: readonly string[];
  readonly set?: readonly string[];
  readonly strings?: readonly string[];
  /** Paths of files whose text is the value. */
  readonly fromFiles?: readonly string[];
  readonly literals?: readonly string[];
  /** Standard input, for `-`. */
  readonly readInput?: () => Promise<string>;
}

const MOST_BYTES = 32 * 1024 * 1024;

/** Maps on top of each other; what is later wins. */
export function mergeMaps(below: Dict, above: Dict): Dict {
  const merged: Dict = { ...below };
  for (const key of Object.keys(above)) {
    const [there, given] = [getKey(merged, key), above[key]];
    putKey(merged, key, isDict(there) && isDict(given) ? mergeMaps(there, given) : given);
  }
  return merged;
}

/** The values of command lines. @throws InvalidArgument, NotFound */
export async function readValues(options: ValueOptions): Promise<Dict> {
  let values: Dict = {};
  for (const path of options.files ?? []) {
    const read = readYaml(await readText(path, options.readInput), { name: path, unique: true }) ?? {};
    if (!isDict(read)) throw new InvalidArgument(`failed to parse ${path}: values must be a map`);
    values = mergeMaps(values, read);
  }
  for (const words of options.json ?? []) values = setJson(values, words);
  for (const words of options.set ?? []) setValues(values, words, typedValue);
  for (const words of options.strings ?? []) setValues(values, words, (text) => text);
  for (const words of options.fromFiles ?? []) await setFromFile(values, words);
  for (const words of options.literals ?? []) setLiteral(values, words);
  return values;
}

/** A map that is merged, or `path=JSON`. */
function setJson(values: Dict, words: string): Dict {
  const parsed = (text: string): unknown => {
    try {
      return JSON.parse(text) as unknown;
    } catch (error) {
      throw new InvalidArgument(
        `failed parsing --set-json data ${JSON.stringify(words)}: ${(error as Error).message}`,
        {
          cause: error,
        },
      );
    }
  };
  if (words.trimStart().startsWith("{")) {
    const given = parsed(words);
    return isDict(given) ? mergeMaps(values, given) : values;
  }
  const at = words.indexOf("=");
  if (at < 0) throw new InvalidArgument(`failed parsing --set-json data: key ${JSON.stringify(words)} has no value`);
  const value = parsed(words.slice(at + 1));
  setValues(values, `${words.slice(0, at)}=x`, () => value);
  return values;
}

async function setFromFile(values: Dict, words: string): Promise<void> {
  const texts = new Map<string, string>();
  const paths: string[] = [];
  setValues({}, words, (path) => paths.push(path));
  for (const path of paths) texts.set(path, await readText(path));
  setValues(values, words, (path) => texts.get(path));
}

async function readText(path: string, readInput?: () => Promise<string>): Promise<string> {
  if (path === "-" && readInput !== undefined) return await readInput();
  if (/^https?:\/\//.test(path)) return await download(path);
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    throw new NotFound(`open ${path}: no such file or directory`, { cause: error });
  }
}

async function download(url: string): Promise<string> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Unavailable(`failed to fetch ${url} : ${answer.status} ${answer.statusText}`);
  if (Number(answer.headers.get("content-length") ?? 0) > MOST_BYTES) {
    throw new InvalidArgument(`${url} is larger than ${MOST_BYTES} bytes`);
  }
  return await answer.text();
}
