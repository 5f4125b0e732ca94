import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { InvalidArgument, ResourceExhausted } from "@boxship/base/errors";
import { readTar, toText } from "@boxship/oci/tar";
import type { ChartFile } from "./chart.ts";

/** What a chart may unpack to. */
const MOST_BYTES = 100 * 1024 * 1024;
const MOST_FILE_BYTES = 5 * 1024 * 1024;
const MOST_FILES = 10_000;

/**
 * The files of a packed chart, named from within its folder.
 *
 * @throws InvalidArgument for names that lead outside and for links; ResourceExhausted for archives that unpack to much
 */
export async function readArchive(archive: Buffer): Promise<readonly ChartFile[]> {
  const files: ChartFile[] = [];
  const names = new Set<string>();
  let total = 0;
  let seen = 0;
  for await (const { entry, body } of readTar(gunzip(archive))) {
    if (++seen > MOST_FILES) throw new ResourceExhausted(`the chart's archive has more than ${MOST_FILES} files`);
    if (entry.type === "directory") continue;
    const name = nameOf(toText(entry.name));
    if (entry.type !== "file")
      throw new InvalidArgument(`the chart's archive holds ${JSON.stringify(name)}, which is no file`);
    if (name === "") continue;
    // Which of them counts is told by nothing: who looks at one would install the other.
    if (names.has(name)) throw new InvalidArgument(`the chart's archive holds ${JSON.stringify(name)} twice`);
    names.add(name);
    if (entry.size > MOST_FILE_BYTES)
      throw new ResourceExhausted(`${name} of the chart's archive is larger than ${MOST_FILE_BYTES} bytes`);
    total += entry.size;
    if (total > MOST_BYTES) throw new ResourceExhausted(`the chart's archive unpacks to more than ${MOST_BYTES} bytes`);
    const chunks: Buffer[] = [];
    for await (const chunk of body) chunks.push(chunk);
    files.push({ name, data: Buffer.concat(chunks) });
  }
  if (files.length === 0) throw new InvalidArgument("no files in chart archive");
  return files;
}

/** The bytes within; a bomb is cut off before its members are looked at. */
async function* gunzip(archive: Buffer): AsyncGenerator<Buffer> {
  if (archive[0] !== 0x1f || archive[1] !== 0x8b) {
    throw new InvalidArgument("the file does not appear to be a gzipped archive");
  }
  let total = 0;
  const stream = Readable.from([archive]).pipe(createGunzip());
  try {
    for await (const chunk of stream) {
      total += (chunk as Buffer).length;
      if (total > 2 * MOST_BYTES)
        throw new ResourceExhausted(`the chart's archive unpacks to more than ${MOST_BYTES} bytes`);
      yield chunk as Buffer;
    }
  } catch (error) {
    if (error instanceof ResourceExhausted) throw error;
    throw new InvalidArgument(`the chart's archive is damaged: ${(error as Error).message}`, { cause: error });
  }
}

/** Without the chart's own folder. Empty for what stands beside it. */
function nameOf(path: string): string {
  const problem = (why: string): InvalidArgument =>
    new InvalidArgument(`the chart's archive ${why}: ${JSON.stringify(path)}`);
  if (path.includes("\\")) throw problem("has a name with a backslash");
  if (path.startsWith("/") || /^[A-Za-z]:/.test(path)) throw problem("has an absolute name");
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw problem("has a name that leads outside of it");
  return parts.slice(1).join("/");
}
