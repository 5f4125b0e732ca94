import { rm } from "node:fs/promises";
import { join } from "node:path";
import {
  asBoxshipError,
  createLogger,
  FailedPrecondition,
  type Logger,
  systemClock,
  writeFileAtomic,
} from "@boxship/base";
import { createDockerApiServer } from "@boxship/docker-api";
import { Engine } from "@boxship/engine";
import { tryLockFile } from "@boxship/kernel";
import { makeDirectory } from "./directories.ts";
import { listenUnix } from "./listen-unix.ts";
import { type DaemonOptions, parseDaemonOptions } from "./options.ts";

/** How the daemon ends: by a signal or by a client's request. Containers keep running either way. */
type Stop = (reason: string) => void;

/**
 * `boxship daemon`: opens the engine, serves its socket until SIGTERM, SIGINT or a client's request, and lets go of
 * everything without touching the containers.
 *
 * @param argv flags, see {@link parseDaemonOptions}
 * @returns the exit status
 */
export async function runDaemon(argv: readonly string[]): Promise<number> {
  let logger = createLogger();
  try {
    const options = parseDaemonOptions(argv, process.env);
    logger = createLogger({ level: options.logLevel });
    await serve(options, logger);
    return 0;
  } catch (error) {
    const { message, remedy, cause } = asBoxshipError(error);
    logger.error(`cannot start: ${message}`, { remedy, cause });
    return 1;
  }
}

async function serve(options: DaemonOptions, logger: Logger): Promise<void> {
  if (process.geteuid?.() !== 0) {
    throw new FailedPrecondition("the daemon needs root", { remedy: "start it with sudo" });
  }
  await using stack = new AsyncDisposableStack();
  await makeDirectory(options.root, 0o711);
  await makeDirectory(options.runDir, 0o711);
  stack.use(claim(join(options.root, "lock"), options));
  stack.use(claim(join(options.runDir, "lock"), options));

  const startedAt = performance.now();
  const { promise: stopped, resolve } = Promise.withResolvers<string>();
  const stop: Stop = (reason) => resolve(reason);
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop(signal));
  // A terminal or a parent that goes away is no reason to end.
  process.on("SIGHUP", () => {});

  const engine = stack.use(
    await Engine.open({
      root: options.root,
      runDir: options.runDir,
      name: options.name,
      clock: systemClock,
      logger,
      ...engineConfig(options),
    }),
  );
  const api = createDockerApiServer({
    engine,
    clock: systemClock,
    logger,
    instance: { name: options.name, root: options.root, runDir: options.runDir, pid: process.pid },
    shutdown: () => stop("a client's request"),
  });
  stack.defer(() => api.close());
  const socket = join(options.runDir, "engine.sock");
  await listenUnix(api.server, socket, options.group, logger);
  stack.defer(() => rm(socket, { force: true }));

  const pidFile = join(options.runDir, "daemon.pid");
  await writeFileAtomic(pidFile, `${process.pid}\n`, { mode: 0o644 });
  stack.defer(() => rm(pidFile, { force: true }));
  logger.info("ready", { socket, root: options.root, milliseconds: Math.round(performance.now() - startedAt) });

  const reason = await stopped;
  logger.info("stopping; containers keep running", { reason });
}

function engineConfig({ defaultRuntime, runtimes, registries, addressPools, log }: DaemonOptions) {
  return {
    ...(defaultRuntime === undefined ? {} : { defaultRuntime }),
    ...(runtimes === undefined ? {} : { runtimes }),
    ...(registries === undefined ? {} : { registries }),
    ...(addressPools === undefined ? {} : { addressPools }),
    ...(log === undefined ? {} : { log }),
  };
}

/** One daemon per directory; the lock ends with the process. */
function claim(path: string, options: DaemonOptions): Disposable {
  const lock = tryLockFile(path);
  if (lock !== undefined) return lock;
  throw new FailedPrecondition(`another daemon is using ${path.replace(/\/lock$/, "")}`, {
    subject: { kind: "instance", name: options.name },
    remedy: `stop it (its process id is in ${join(options.runDir, "daemon.pid")}), or start this one with another --name and --root`,
  });
}
