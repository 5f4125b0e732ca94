import { readFileSync } from "node:fs";
import { join } from "node:path";

const TESTDATA = join(import.meta.dirname, "../testdata");

/** Lines of a table, comments left out, `{T}` being the folder of manifests. */
export function linesOf(name: string): readonly string[] {
  const text = readFileSync(join(TESTDATA, "lines", `${name}.txt`), "utf8");
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

/** Words of a line as a shell makes them: quotes hold words together. */
export function wordsOf(line: string): readonly string[] {
  const words: string[] = [];
  for (const [word] of line.replaceAll("{T}", TESTDATA).matchAll(/(?:[^\s'"]|'[^']*'|"[^"]*")+/g)) {
    words.push(word.replace(/'([^']*)'|"([^"]*)"/g, (_, one?: string, other?: string) => one ?? other ?? ""));
  }
  return words;
}

/** What differs from run to run stands behind a mask. */
export function masked(text: string): string {
  return text
    .replace(/(?<=^ {2}managedFields:\n)(?: {2}[- ] .*\n)+/gm, inOneOrder)
    .replace(/127\.0\.0\.1:\d+/g, "SERVER")
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "UID")
    .replace(/20\d\d-\d\d-\d\dT[\d:]{8}(\.\d+)?Z/g, "TIME")
    .replace(/(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} 20\d\d [\d:]{8} [+-]\d{4}/g, "TIME")
    .replace(/10\.96\.\d+\.\d+/g, "ADDRESS")
    .replace(/\/tmp\/(LIVE|MERGED)-\w+/g, "$1")
    .replace(/20\d\d-\d\d-\d\d [\d:.]{8,} [+-]\d{4}/g, "TIME")
    .replace(/kube-api-access-\w+/g, "kube-api-access")
    .replace(/"?resourceVersion"?: "\d+"/g, "VERSION")
    .replace(/(^|[ \t(])(<invalid>|(?:\d+[smhd])+)(?= ago|[ \t)]|$)/gm, "$1AGE")
    .replace(/AGE +(?=\S)/g, "AGE ")
    .replace(/ +AGE/g, " AGE")
    .replace(/^(E\d{4} .*\n)+/gm, "")
    .replace(/\/\S*kubeconfig\b/g, "KUBECONFIG");
}

/** Managers of one second stand by their names, those of two by their times: which it was is chance. */
function inOneOrder(entries: string): string {
  return entries
    .split(/^(?= {2}- )/m)
    .sort()
    .join("");
}
