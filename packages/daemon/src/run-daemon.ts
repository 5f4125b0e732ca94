import { rm } from "node:fs/promises";
import { join } from "node:path";

import {
  asBoxshipError,
  createLogger,
  InvalidArgument,
  type Logger,
  systemClock,
  systemCode,
  writeFileAtomic,
} from "@boxship/base";

import { Builder, bothBuilders, classicDoor, type DescribeImage, openBuildkitDoor } from "@boxship/build";
import { CriDoor, criHandlers, StreamingServer } from "@boxship/cri";
import { type AuditOptions, createDockerApiServer, type DockerApiOptions } from "@boxship/docker-api";
import { Engine, type EngineOptions, VERSION } from "@boxship/engine";
import { adoptOrphans, capabilitySets, IdleMemory, type IdMaps } from "@boxship/kernel";
import { spdxDocument, takeInventory } from "@boxship/scan";
import { AuditLog } from "./audit-log.ts";
import { podNetworkHandlers } from "./cluster/pod-network-service.ts";
import { restartCluster } from "./cluster/restart-cluster.ts";
import { ClusterNames } from "./cluster-names.ts";
import { withCertificates } from "./config-file.ts";
import { claim, makeDirectory } from "./directories.ts";
import { listenUnix } from "./listen-unix.ts";
import { type DaemonOptions, parseDaemonOptions } from "./options.ts";
import { peerOf } from "./peer-of.ts";
import { openRegistryDoor } from "./registry.ts";
import { remapIds } from "./remap-ids.ts";
import { forceReset, removeInstance } from "./reset-instance.ts";
import { prepareInside } from "./rootless/inside.ts";
import { launchRootless } from "./rootless/launch.ts";
import { Sockets } from "./sockets.ts";

/** How the daemon ends: by a signal or by a client's request. Containers keep running, but for a reset. */
interface Stop {
  readonly reason: string;
  readonly reset: boolean;
}

/**
 * `boxship daemon`: opens the engine, serves its socket until SIGTERM, SIGINT or a client's request, and lets go of
 * everything without touching the containers. Without root it becomes the daemon of an instance of the user's own, see
 * {@link launchRootless}.
 *
 * @param argv flags, see {@link parseDaemonOptions}
 * @returns the exit status
 */
export async function runDaemon(argv: readonly string[]): Promise<number> {
  let logger = createLogger();
  process.on("uncaughtException", (error) => {
    logger.error(`unexpected: ${error.message}`, { stack: error.stack });
    // A file that somebody forgot to close, and that is closed now, has harmed nobody.
    if (!isForgottenFile(error)) process.exit(1);
  });
  try {
    const options = parseDaemonOptions(argv, process.env);
    logger = createLogger({ level: options.logLevel });
    if (process.geteuid?.() !== 0) await launchRootless(options, argv, logger);
    await serve(options, logger);
    return 0;
  } catch (error) {
    const { message, remedy, cause } = asBoxshipError(error);
    logger.error(`cannot start: ${message}`, { remedy, cause });
    return 1;
  }
}

function isForgottenFile(error: Error): boolean {
  return systemCode(error) === "ERR_INVALID_STATE" && error.message.includes("closed during garbage collection");
}

async function serve(options: DaemonOptions, logger: Logger): Promise<void> {
  await using stack = new AsyncDisposableStack();
  await makeDirectory(options.root, 0o711);
  await makeDirectory(options.runDir, 0o711);
  // In this order: who starts the same instance at the same moment meets here, and not at the state.
  stack.use(claim(options.runDir, options));
  stack.use(claim(options.root, options));
  let remove = false;
  // After everything was let go of, and before the locks.
  stack.defer(() => (remove ? removeInstance(options) : undefined));
  let byName = false;
  stack.defer(() => (byName ? forceReset(options, logger) : undefined));

  const inside = options.insideRootless ? stack.use(prepareInside(options.runDir, systemClock)) : undefined;
  let started = false;
  let idle = false;
  stack.defer(() => {
    // A start that fails leaves what containers of an earlier one need, and nothing else.
    if (remove || idle || (!started && inside?.isUsed() === false)) inside?.end();
  });

  if (options.reset) {
    remove = true;
    await resetState(options, logger);
    return;
  }
  const startedAt = performance.now();
  const { promise: stopped, resolve: stop } = Promise.withResolvers<Stop>();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop({ reason: signal, reset: false }));
  // A terminal or a parent that goes away is no reason to end.
  process.on("SIGHUP", () => {});
  stack.use(adoptOrphans());

  const engine = stack.use(
    await Engine.open({
      ...engineOptions(options, logger),
      ...(isConfined(logger) ? { confined: {} } : {}),
      ...(inside === undefined ? {} : { outsidePorts: inside.outsidePorts, resolvConf: inside.resolvConf }),
    }),
  );
  stack.defer(() => (started || remove ? undefined : engine.withdraw()));
  // Before the builder, which sweeps: what was pushed must be known to be needed.
  const { root, registry } = options;
  const registryDoor = stack.use(
    await openRegistryDoor({
      engine,
      root,
      listen: registry?.listen,
      logger,
      ...(inside === undefined ? {} : { outsidePorts: inside.outsidePorts }),
    }),
  );
  const builder = stack.use(await Builder.open(engine.parts, { describe: describeImage }));
  const buildkit = stack.use(
    openBuildkitDoor({
      solver: builder,
      directory: join(options.root, "build", "buildkit"),
      clock: systemClock,
      logger,
      version: VERSION,
      removeImage: (id) => removeNameless(engine, id),
      hostGateway: () => engine.parts.network.hostGateways()[0],
    }),
  );
  const audit = await auditOf(options, stack);
  const door: Omit<DockerApiOptions, "role"> = {
    engine,
    clock: systemClock,
    logger,
    instance: { name: options.name, root: options.root, runDir: options.runDir, pid: process.pid },
  };
  const sockets = stack.use(
    await Sockets.open({
      file: join(options.root, "sockets.json"),
      runDir: options.runDir,
      configured: options.sockets ?? {},
      logger,
      door: (role) => ({ ...door, role, ...audit(role.name) }),
    }),
  );
  const api = createDockerApiServer({
    ...door,
    ...audit("engine"),
    build: bothBuilders(
      classicDoor(
        {
          build: builder.build.bind(builder),
          call: builder.call.bind(builder),
          cache: buildkit.cache,
          mounts: builder.mounts,
        },
        builder.workDirectory,
      ),
      buildkit,
    ),
    buildkit,
    working: builder.working,
    sockets,
    checkRegistry: (request) => registryDoor.check(request),
    shutdown: ({ reset }) => stop({ reason: "a client's request", reset }),
  });
  stack.defer(() => api.close());
  const socket = join(options.runDir, "engine.sock");
  await listenUnix(api.server, socket, options.group, logger);
  stack.defer(() => rm(socket, { force: true }));

  const streaming = stack.use(new StreamingServer(systemClock, logger));
  const names = stack.use(ClusterNames.open({ root: options.root, network: engine.parts.network, logger }));
  const cri = stack.use(
    new CriDoor(criHandlers(engine, streaming), logger, [...names.handlers, ...podNetworkHandlers(engine.parts)]),
  );
  const criSocket = join(options.runDir, "cri.sock");
  await listenUnix(cri.server, criSocket, options.group, logger);
  stack.defer(() => rm(criSocket, { force: true }));

  stack.use(new IdleMemory(systemClock)).watch(api.server);

  const pidFile = join(options.runDir, "daemon.pid");
  await writeFileAtomic(pidFile, `${process.pid}\n`, { mode: 0o644 });
  stack.defer(() => rm(pidFile, { force: true }));
  started = true;
  // Without root it would be in the namespaces of the containers, where nobody reaches it.
  if (inside === undefined) await restartCluster(options, logger);
  logger.info("ready", { socket, root: options.root, milliseconds: Math.round(performance.now() - startedAt) });

  const { reason, reset } = await stopped;
  logger.info(reset ? "removing the instance" : "stopping; containers keep running", { reason });
  if (!reset) {
    // Nothing is kept in the namespaces that the next start would not make again.
    const { containers } = await engine.system.info();
    idle = containers.running + containers.paused === 0;
    return;
  }
  remove = true;
  try {
    await builder[Symbol.asyncDispose]();
    await engine.reset();
  } catch (error) {
    logger.error("the removal was cut short; what carries the instance's name is removed", { error });
    byName = true;
  }
}

/** The bill of materials that `build --sbom` asks for. */
const describeImage: DescribeImage = async ({ layers, ...subject }, signal) =>
  spdxDocument(await takeInventory({ layers }, signal), { ...subject, toolVersion: VERSION });

/** Root without the right to mount is root in an ordinary container. */
function isConfined(logger: Logger): boolean {
  if (capabilitySets().effective.has("CAP_SYS_ADMIN")) return false;
  logger.info("this process may not mount: images can be built, pulled and pushed, containers cannot be run");
  return true;
}

/** Removes an image unless it has a name, or a container or another image needs it. */
async function removeNameless(engine: Engine, id: string): Promise<void> {
  const { repoTags } = await engine.images.get(id);
  if (repoTags.length === 0) await engine.images.remove(id);
}

/** The audit log, where the configuration asks for one, as each socket writes to it. */
async function auditOf(
  { audit, root }: DaemonOptions,
  stack: AsyncDisposableStack,
): Promise<(socket: string) => { readonly audit?: AuditOptions }> {
  if (audit === undefined) return () => ({});
  const log = stack.use(await AuditLog.open({ path: join(root, "audit.log"), ...audit }));
  return (socket) => ({ audit: { socket, record: (entry) => log.record(entry), peer: peerOf } });
}

/** With the records where they can be read, and by name for whatever they do not tell of. */
async function resetState(options: DaemonOptions, logger: Logger): Promise<void> {
  try {
    await using engine = await Engine.open(engineOptions(options, logger));
    await engine.reset();
  } catch (error) {
    logger.warn("the state cannot be read; what carries the instance's name is removed", { error });
  }
  await forceReset(options, logger);
}

/** Without root all containers are in the user's namespace anyway. @throws InvalidArgument, FailedPrecondition */
function remapOf({ usernsRemap, insideRootless }: DaemonOptions): IdMaps | undefined {
  if (usernsRemap === undefined) return undefined;
  if (!insideRootless) return remapIds(usernsRemap);
  throw new InvalidArgument(
    "userns-remap is for an engine that runs as root: without root containers have your own ids",
  );
}

function engineOptions(options: DaemonOptions, logger: Logger): EngineOptions {
  const remap = remapOf(options);
  const {
    root,
    runDir,
    name,
    defaultRuntime,
    runtimes,
    registries,
    policy,
    addressPools,
    cni,
    cdi,
    log,
    storageDriver,
  } = options;
  return {
    root,
    runDir,
    name,
    clock: systemClock,
    logger,
    ...(defaultRuntime === undefined ? {} : { defaultRuntime }),
    ...(runtimes === undefined ? {} : { runtimes }),
    ...(registries === undefined ? {} : { registries: withCertificates(registries) }),
    ...(policy === undefined ? {} : { policy }),
    ...(addressPools === undefined ? {} : { addressPools }),
    ...(cni === undefined ? {} : { cni }),
    ...(cdi?.directories === undefined ? {} : { cdiDirectories: cdi.directories }),
    ...(log === undefined ? {} : { log }),
    ...(storageDriver === undefined ? {} : { storageDriver }),
    ...(remap === undefined ? {} : { remap }),
  };
}
