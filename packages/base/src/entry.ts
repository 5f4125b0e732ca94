import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { Worker, type WorkerOptions } from "node:worker_threads";

/**
 * Worker threads from a checkout and from a release bundle alike.
 *
 * In a checkout the worker is the `.ts` file beside its user. In a release the build writes one `<name>.cjs` per worker
 * beside the main bundle (`scripts/build.ts` holds the list of names) and sets `BOXSHIP_BUNDLE_DIR` before anything
 * loads.
 *
 * @param name the worker's name, unique in the program, e.g. `"unpack"`
 * @param source the worker's source file, as `new URL("./unpack-worker.ts", import.meta.url)`
 */
export function startWorker(name: string, source: URL, options: WorkerOptions = {}): Worker {
  const bundles = process.env["BOXSHIP_BUNDLE_DIR"];
  const bundled = bundles === undefined ? undefined : join(bundles, `${name}.cjs`);
  const file = bundled !== undefined && existsSync(bundled) ? bundled : source;
  return new Worker(file, { name, ...options });
}

/** Directory of the running bundle, or undefined in a checkout. */
export function bundleDirectory(): string | undefined {
  const directory = process.env["BOXSHIP_BUNDLE_DIR"];
  return directory === undefined ? undefined : dirname(join(directory, "x"));
}
