import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** A kustomization with a purpose, and what the original makes of it. */
export interface Case {
  readonly name: string;
  readonly why: string;
  readonly files: ReadonlyMap<string, Buffer>;
  /** Standard output. */
  readonly want: string;
  /** Standard error, `DIR` for the directory in which it is; empty when it is built. */
  readonly failure: string;
}

const FOLDER = join(import.meta.dirname, "..", "testdata");
const WANT = "want";
const FAILURE = "failure";

export async function readCases(): Promise<readonly Case[]> {
  const names = (await readdir(FOLDER)).filter((name) => name.endsWith(".txt")).sort();
  return await Promise.all(names.map(async (name) => parseCase(name, await readFile(join(FOLDER, name), "utf8"))));
}

/** `# why`, then files, each behind `== path`; `base64` behind the path where it is no text. */
export function parseCase(file: string, text: string): Case {
  const [head = "", ...sections] = text.split(/^== /m);
  const files = new Map<string, Buffer>();
  const results = new Map<string, string>();
  for (const section of sections) {
    const end = section.indexOf("\n");
    const [path = "", encoding] = section.slice(0, end).split(" ");
    const content = section.slice(end + 1);
    if (path === WANT || path === FAILURE) results.set(path, content);
    else files.set(path, Buffer.from(content, encoding === "base64" ? "base64" : "utf8"));
  }
  return {
    name: file.replace(/\.txt$/, ""),
    why: head.replace(/^# /, "").trim(),
    files,
    want: results.get(WANT) ?? "",
    failure: results.get(FAILURE) ?? "",
  };
}

/** Writes a case's files below a directory. @returns the kustomization's directory */
export async function writeCase(folder: string, { name, files }: Case): Promise<string> {
  const directory = join(folder, name);
  for (const [path, content] of files) {
    const target = join(directory, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, content);
  }
  return directory;
}
