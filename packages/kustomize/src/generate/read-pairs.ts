import { isUtf8 } from "node:buffer";
import { basename } from "node:path";
import { BuildFailure, within } from "../failure.ts";
import type { GeneratorArgs } from "../kustomization.ts";
import type { Loader } from "../loader.ts";

/** A key and what is under it. */
export type DataPair = readonly [key: string, value: Buffer];

/** What a generator's sources say: environment files, literals, files, in this order. */
export async function readPairs(loader: Loader, args: GeneratorArgs): Promise<readonly DataPair[]> {
  const { envs = [], literals = [], files = [] } = args;
  const env = args.env === undefined || args.env === "" ? envs : [...envs, args.env];
  const pairs: DataPair[] = [];
  pairs.push(...(await collect("env source files:", env, (path) => readEnvironment(loader, path))));
  pairs.push(...(await collect("literal sources", literals, async (text) => [readLiteral(text)])));
  pairs.push(...(await collect("file sources:", files, async (source) => [await readSource(loader, source)])));
  return pairs;
}

async function collect(
  what: string,
  sources: readonly string[],
  read: (source: string) => Promise<readonly DataPair[]>,
): Promise<readonly DataPair[]> {
  const pairs: DataPair[] = [];
  for (const source of sources) {
    try {
      pairs.push(...(await read(source)));
    } catch (error) {
      throw within(`${what} [${sources.join(" ")}]`, error);
    }
  }
  return pairs;
}

function readLiteral(text: string): DataPair {
  const at = text.indexOf("=");
  if (at < 1) throw new BuildFailure(`invalid literal source ${text}, expected key=value`);
  const value = text.slice(at + 1);
  const quoted = value.length > 1 && value[0] === value.at(-1) && (value[0] === '"' || value[0] === "'");
  return [text.slice(0, at), Buffer.from(quoted ? value.slice(1, -1) : value)];
}

async function readSource(loader: Loader, source: string): Promise<DataPair> {
  const [name = "", path, ...more] = source.split("=");
  if (path === undefined) return [basename(source), await loader.load(source)];
  if (more.length > 0) throw new BuildFailure(`source ${quote(source)} key name or file path contains '='`);
  if (name === "") {
    throw new BuildFailure(`missing key name for file path ${quote(path)} in source ${quote(source)}`);
  }
  if (path === "") throw new BuildFailure(`missing file path for key name ${quote(name)} in source ${quote(source)}`);
  return [name, await loader.load(path)];
}

const quote = (text: string): string => JSON.stringify(text);

/** Lines `KEY=value`; empty ones and comments are left out. */
async function readEnvironment(loader: Loader, path: string): Promise<readonly DataPair[]> {
  const content = await loader.load(path);
  const pairs: DataPair[] = [];
  for (const [index, bytes] of linesOf(content).entries()) {
    if (!isUtf8(bytes)) {
      throw new BuildFailure(`line ${index + 1} of ${path} has invalid utf8 bytes`);
    }
    const text = bytes.toString("utf8");
    const line = (index === 0 ? text.replace(/^\uFEFF/, "") : text).trimStart();
    if (line === "" || line.startsWith("#")) continue;
    const at = line.indexOf("=");
    const key = at < 0 ? line : line.slice(0, at);
    if (key !== "") pairs.push([key, Buffer.from(at < 0 ? "" : line.slice(at + 1))]);
  }
  return pairs;
}

function linesOf(content: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  let from = 0;
  while (from < content.length) {
    const end = content.indexOf(0x0a, from);
    const stop = end < 0 ? content.length : end;
    lines.push(content.subarray(from, content[stop - 1] === 0x0d && stop > from ? stop - 1 : stop));
    from = stop + 1;
  }
  return lines;
}
