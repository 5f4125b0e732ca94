import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { filesUnder } from "../verify/finding.ts";

const besideText = String.raw`new URL\(\s*"(\.[^"]+\.ts)"\s*,\s*import\.meta\.url\s*\)`;
const name = String.raw`"([a-z0-9-]+)"`;
/** `startWorker("name", new URL(…))` and `{ name: "name", …, source: new URL(…) }`, as a worker pool takes it. */
const call = new RegExp(
  String.raw`(?:\bstartWorker\(\s*${name}\s*,|\bname:\s*${name},[^;{}]*?\bsource:)\s*${besideText}`,
  "g",
);
const beside = /\bnew URL\(\s*"(\.[^"]+)"\s*,\s*import\.meta\.url\s*\)/g;

/**
 * The workers of the program: name to source file, relative to `root`. They are found by the text that
 * starts them, so that none can be forgotten in a release.
 *
 * @throws Error when a name stands for two files, or a source refers to a file beside it that no bundle will contain
 */
export function findWorkers(root: string): Map<string, string> {
  const workers = new Map<string, string>();
  for (const file of filesUnder(root, "packages", [".ts"])) {
    if (file.endsWith(".test.ts") || file.startsWith("packages/testkit/") || file === "packages/base/src/entry.ts")
      continue;
    const source = readFileSync(join(root, file), "utf8");
    const named = [...source.matchAll(call)];
    for (const match of named) {
      const [worker, target] = [match[1] ?? match[2] ?? "", join(dirname(file), match[3] ?? "")];
      const known = workers.get(worker);
      if (known !== undefined && known !== target) throw new Error(`worker '${worker}' is both ${known} and ${target}`);
      workers.set(worker, target);
    }
    if ([...source.matchAll(beside)].length !== named.length) {
      throw new Error(
        `${file} refers to a file beside it that is no worker with a literal name: a bundle will not have it`,
      );
    }
  }
  return workers;
}
