import { RE2JS } from "re2js";
import { defineCommand } from "../command.ts";
import { bool, format, int, str } from "../flags.ts";
import { printAs, tableText } from "../print-release.ts";
import { repositoryPlaces } from "../repository/places.ts";
import { readRepositories } from "../repository/repository-file.ts";
import { cachedIndex, type IndexEntry } from "../repository/repository-index.ts";
import { parseConstraint } from "../version/constraint.ts";
import { parseVersion } from "../version/version.ts";

export const command = defineCommand({
  usage: "[KEYWORD] [flags]",
  summary: "Look for charts in the repositories that are noted",
  operands: { min: 0, max: 1 },
  flags: {
    devel: bool(),
    "fail-on-no-result": bool(),
    "max-col-width": int(50),
    output: format,
    regexp: bool(false, { short: "r" }),
    version: str(),
    versions: bool(false, { short: "l" }),
  },
  async run(surroundings, { flags, operands }) {
    const { file, cache } = repositoryPlaces(flags, surroundings);
    const wanted = parseConstraint(flags.version || (flags.devel ? ">0.0.0-0" : "*"));
    const fits = ({ version }: IndexEntry): boolean => {
      const parsed = parseVersion(version);
      return parsed !== undefined && wanted.allows(parsed);
    };
    const word = operands[0] ?? "";
    const expression = flags.regexp ? RE2JS.compile(word) : undefined;
    const found: {
      readonly name: string;
      readonly version: string;
      readonly app_version: string;
      readonly description: string;
    }[] = [];
    for (const repository of await readRepositories(file)) {
      for (const [chart, entries] of await cachedIndex(repository, cache)) {
        const all = entries.filter(fits);
        const name = `${repository.name}/${chart}`;
        const text = `${name} ${all[0]?.description ?? ""}`;
        const matches =
          expression === undefined ? text.toLowerCase().includes(word.toLowerCase()) : expression.matcher(text).find();
        if (!matches) continue;
        for (const { version, appVersion, description } of flags.versions ? all : all.slice(0, 1)) {
          found.push({ name, version, app_version: appVersion, description });
        }
      }
    }
    if (found.length === 0 && flags["fail-on-no-result"]) throw new Error("no results found");
    if (printAs(flags.output, found, surroundings)) return;
    if (found.length === 0) {
      surroundings.print("No results found");
      return;
    }
    const width = flags["max-col-width"];
    const cut = (text: string): string => (width > 0 && text.length > width ? `${text.slice(0, width - 3)}...` : text);
    const rows = found.map((one) => Object.values(one).map(cut));
    surroundings.print(tableText(["NAME", "CHART VERSION", "APP VERSION", "DESCRIPTION"], rows));
  },
});
