import { createRequire } from "node:module";
import type { Plugin } from "esbuild";

/**
 * Modules that most commands never use, or use late: together a fifth of a start. They are loaded when something of them is
 * first looked at. Only modules of CommonJS, whose names the build can ask for.
 */
const MODULES = ["node:child_process", "node:https", "node:readline/promises", "node:zlib", "js-yaml", "pino"];

const namespace = "lazy-module";

/** What stands for a module: its names, each of which loads it. */
function standIn(name: string, names: readonly string[]): string {
  return `"use strict";
for (const name of ${JSON.stringify(names)}) {
  Object.defineProperty(exports, name, { enumerable: true, get: () => require("${name}")[name] });
}`;
}

/** Makes a part load its rarely used modules late. @param root the tree whose packages are bundled */
export function lazyModules(root: string): Plugin {
  const load = createRequire(`${root}/packages/base/src/index.ts`);
  return {
    name: "lazy-modules",
    setup(build) {
      const filter = new RegExp(`^(?:${MODULES.join("|")})$`);
      build.onResolve({ filter }, ({ path, namespace: from, kind }) =>
        from === namespace || kind !== "import-statement" ? undefined : { path, namespace },
      );
      build.onLoad({ filter: /.*/, namespace }, ({ path }) => ({
        contents: standIn(path, Object.keys(load(path) as object)),
        loader: "js",
        resolveDir: root,
      }));
    },
  };
}
