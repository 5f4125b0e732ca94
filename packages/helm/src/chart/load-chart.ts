import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { InvalidArgument, NotFound, ResourceExhausted, systemCode } from "@boxship/base/errors";
import type { Chart, ChartFile } from "./chart.ts";
import { IgnoreRules } from "./ignore-rules.ts";
import { makeChart } from "./make-chart.ts";

const MOST_FILE_BYTES = 5 * 1024 * 1024;
const MOST_FILES = 10_000;

/** Reads a chart: a folder or a packed one. @throws NotFound, InvalidArgument */
export async function loadChart(path: string): Promise<Chart> {
  let isFolder: boolean;
  try {
    isFolder = (await stat(path)).isDirectory();
  } catch (error) {
    if (systemCode(error) !== "ENOENT" && systemCode(error) !== "ENOTDIR") throw error;
    throw new NotFound(`path ${JSON.stringify(path)} not found`, { cause: error });
  }
  return await makeChart(isFolder ? await readFolder(path) : await unpack(await readFile(path)), unpack);
}

/** @param archive of a chart, packed */
export const loadArchive = async (archive: Buffer): Promise<Chart> => await makeChart(await unpack(archive), unpack);

// Most charts are folders: those need no tar.
const unpack = async (archive: Buffer): Promise<readonly ChartFile[]> =>
  await (await import("./load-archive.ts")).readArchive(archive);

/** The files of a chart's folder but those that `.helmignore` names; links are followed. */
export async function readFolder(root: string): Promise<readonly ChartFile[]> {
  const rules = new IgnoreRules(await readFile(join(root, ".helmignore"), "utf8").catch(() => ""));
  const files: ChartFile[] = [];
  const walk = async (folder: string, above: readonly string[]): Promise<void> => {
    const here = await realpath(join(root, folder));
    if (above.includes(here)) throw new InvalidArgument(`${folder} is a link to a folder that it is in`);
    const entries = await readdir(here);
    for (const entry of entries.sort()) {
      const name = folder === "" ? entry : `${folder}/${entry}`;
      const info = await stat(join(root, name));
      if (rules.ignores(name, info.isDirectory())) continue;
      if (info.isDirectory()) await walk(name, [...above, here]);
      else if (!info.isFile())
        throw new InvalidArgument(`cannot load irregular file ${name} as it has file mode type bits set`);
      else {
        if (info.size > MOST_FILE_BYTES)
          throw new ResourceExhausted(`chart file ${JSON.stringify(name)} is larger than ${MOST_FILE_BYTES} bytes`);
        if (files.length >= MOST_FILES) throw new ResourceExhausted(`the chart has more than ${MOST_FILES} files`);
        files.push({ name, data: await readFile(join(root, name)) });
      }
    }
  };
  await walk("", []);
  return files;
}
