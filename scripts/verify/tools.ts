import { type Check, type Finding, run } from "./finding.ts";

/** A checker of its own: its output is the finding. */
function tool(name: string, file: string, args: readonly string[]): Check {
  return {
    name,
    async run(root): Promise<readonly Finding[]> {
      const { status, output } = await run(root, file, args);
      if (status === 0) return [];
      return [{ where: [file, ...args].join(" "), what: `failed with status ${status}\n${output.trimEnd()}` }];
    },
  };
}

export const types = tool("types", "tsc", ["-p", "."]);
export const lint = tool("lint", "oxlint", ["--type-aware", "packages", "scripts", "bench"]);
export const format = tool("format", "biome", ["check", "--max-diagnostics=200", "."]);
