import { existsSync } from "node:fs";
import { join } from "node:path";
import type { BuildOptions, Plugin } from "esbuild";

/**
 * Large libraries that most runs never need, by the name of their part: Node reads a file as a whole, so that each megabyte
 * of them would cost every start of the command line 20 ms. The sources import them dynamically, and nothing else does.
 */
const libraries: Readonly<Record<string, { readonly library: string; readonly importer: string }>> = {
  "s3-client": { library: "@aws-sdk/client-s3", importer: "packages/registry" },
};

/** Loads a part as the bundle has it: from the file beside, or from the executable's text. */
const loader = (part: string): string => `const { file, source } = globalThis[Symbol.for("boxship.bundle")];
if (file !== undefined) module.exports = require(file("${part}"));
else {
  const names = ["exports", "require", "module", "__filename", "__dirname"];
  require("node:vm").compileFunction(source("${part}"), names, { filename: "${part}.cjs" })(
    module.exports, require, module, __filename, __dirname);
}`;

/** What other parts contain in place of the libraries. */
export const latePartsPlugin: Plugin = {
  name: "late-parts",
  setup(build) {
    for (const [part, { library }] of Object.entries(libraries)) {
      const filter = new RegExp(`^${library}$`);
      build.onResolve({ filter }, ({ kind }) =>
        kind === "dynamic-import" ? { path: part, namespace: "late-part" } : undefined,
      );
    }
    build.onLoad({ filter: /.*/, namespace: "late-part" }, ({ path }) => ({ contents: loader(path), loader: "js" }));
  },
};

/** The parts themselves, by name. */
export function lateParts(root: string): [string, BuildOptions][] {
  const present = Object.entries(libraries).filter(([, { importer }]) => existsSync(join(root, importer)));
  return present.map(([part, { library, importer }]) => {
    const contents = `module.exports = require("${library}");`;
    const stdin = { contents, resolveDir: join(root, importer), sourcefile: `${part}.cjs`, loader: "js" as const };
    return [part, { stdin }];
  });
}
