import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../testdata/corpus");

/** One Containerfile of the corpus with its context: a directory of `testdata/corpus`. */
export interface CorpusCase {
  readonly name: string;
  readonly directory: string;
  readonly file: string;
}

export function corpus(): readonly CorpusCase[] {
  return readdirSync(ROOT)
    .sort()
    .map((name) => {
      const directory = join(ROOT, name);
      return { name, directory, file: readFileSync(join(directory, "Containerfile"), "utf8") };
    });
}
