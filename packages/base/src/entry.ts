import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Worker, type WorkerOptions } from "node:worker_threads";

/**
 * How the program finds its own parts, in its three shapes:
 *
 * - **checkout**: TypeScript is run as it is; a part is the `.ts` file beside its user.
 * - **bundle**: `scripts/build.ts` writes `boxship.cjs`, which starts `cli.cjs`, `skopeo.cjs`, `daemon.cjs` or `cluster.cjs`,
 *   and one `<worker>.cjs` per worker into one directory. Each begins with a line that sets {@link Bundle} for its own thread.
 * - **executable**: the same files are assets of a single executable, and are evaluated from memory.
 */
interface Bundle {
  /** Absolute path of a part's file, in a bundle on disk. */
  readonly file?: (part: string) => string;
  /** Source text of a part, in the single executable. */
  readonly source?: (part: string) => string;
}

function bundle(): Bundle | undefined {
  return (globalThis as { [key: symbol]: Bundle | undefined })[Symbol.for("boxship.bundle")];
}

/** Flags that every Node process of ours runs with. */
export const nodeFlags: readonly string[] = ["--disable-warning=ExperimentalWarning"];

/**
 * Flags that the daemon runs with. Its worker threads come and go, and what V8 keeps of each that ended, for threads to
 * come, was up to 100 MB.
 */
export const daemonFlags: readonly string[] = [...nodeFlags, "--no-memory-pool-share-memory-on-teardown"];

/**
 * Starts a worker thread. The build finds workers by this call's text, so both arguments are literals.
 *
 * @param name the worker's name, unique in the program, e.g. `"unpack"`
 * @param source the worker's source file, as a `new URL` of `"./x-worker.ts"` and `import.meta.url`
 */
export function startWorker(name: string, source: URL, options: WorkerOptions = {}): Worker {
  const parts = bundle();
  const text = parts?.source?.(name);
  if (text !== undefined) return new Worker(text, { name, ...options, eval: true });
  return new Worker(parts?.file?.(name) ?? source, { name, ...options });
}

/** The text of a part that is no code; undefined where the program has no such part, as in a checkout that runs as it is. */
export async function partText(part: string): Promise<string | undefined> {
  const parts = bundle();
  const file = parts?.file?.(part);
  return file === undefined ? parts?.source?.(part) : await readFile(file, "utf8").catch(() => undefined);
}

/** First argument of the daemon in every shape. People type `daemon`, which is a command of the command line. */
const daemonWord = "daemon-process";

/** The program and first arguments that start the daemon of this very build; append the daemon's own flags. */
export function daemonCommand(): readonly [string, ...string[]] {
  const parts = bundle();
  if (parts?.source !== undefined) return [process.execPath, daemonWord];
  if (parts?.file !== undefined) return [process.execPath, ...daemonFlags, parts.file("boxship"), daemonWord];
  const main = new URL("../../daemon/src/main.ts", import.meta.url).pathname;
  return [process.execPath, ...daemonFlags, main, daemonWord];
}

/** First argument of the process that serves a cluster. */
const clusterWord = "cluster-process";

/** The program and first arguments that serve the Kubernetes API of this very build; append the flags of `boxship up`. */
export function clusterCommand(): readonly [string, ...string[]] {
  const parts = bundle();
  if (parts?.source !== undefined) return [process.execPath, clusterWord];
  if (parts?.file !== undefined) return [process.execPath, ...nodeFlags, parts.file("boxship"), clusterWord];
  const main = new URL("../../daemon/src/cluster/main.ts", import.meta.url).pathname;
  return [process.execPath, ...nodeFlags, main, clusterWord];
}

/**
 * The program and first arguments that run the command line: in a checkout its launcher, because the bundle of today's
 * sources goes when they change.
 */
export function programCommand(): readonly [string, ...string[]] {
  const parts = bundle();
  if (parts?.source !== undefined) return [process.execPath];
  if (parts?.file !== undefined) {
    const bundled = parts.file("boxship");
    const launcher = join(dirname(bundled), "../../boxship");
    // Without -- Node takes --env-file for a flag of its own.
    return existsSync(launcher) ? [launcher] : [process.execPath, ...nodeFlags, "--", bundled];
  }
  const main = new URL("../../cli/src/main.ts", import.meta.url).pathname;
  return [process.execPath, ...nodeFlags, "--", main];
}
