import { once } from "node:events";
import { mkdir, readFile, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Json } from "@boxship/api";
import {
  AuditLog,
  AuditPolicy,
  CertificateRenewal,
  type CertificatesOptions,
  type ClusterCertificates,
  clusterCertificates,
  EncryptedValues,
  kubeconfig,
  openApiServer,
  parseAuthenticationFile,
  readKubeconfig,
  rotateKeys,
  SigningKeys,
} from "@boxship/apiserver";
import {
  asBoxshipError,
  createLogger,
  errorMessage,
  FailedPrecondition,
  InvalidArgument,
  type Logger,
  systemClock,
  systemCode,
  writeFileAtomic,
} from "@boxship/base";
import { putKubeconfig } from "@boxship/client";
import {
  IdleMemory,
  releaseFilePages,
  releaseMemory,
  releaseMountsBelow,
  trimAllocator,
  tryLockFile,
} from "@boxship/kernel";
import { limitDirectory } from "@boxship/node";
import { readConfiguration as readSchedulerConfiguration, type SchedulerConfiguration } from "@boxship/scheduler";
import { load } from "js-yaml";
import { startControllers } from "./cluster-controllers.ts";
import { ownServiceAddresses, settleNetwork } from "./cluster-network.ts";
import { LocalNodes, nodeName, soon, startNode } from "./cluster-node.ts";
import { type ClusterOptions, parseClusterOptions } from "./cluster-options.ts";
import { startServices } from "./cluster-services.ts";
import { openClusterStore } from "./cluster-store.ts";
import { HostAddresses } from "./host-addresses.ts";
import { preparePodNetworks } from "./pod-networks.ts";
import { writeUpRecord } from "./up-record.ts";

/** A heap that takes longer to collect than requests may wait is left to V8, which does so in small steps. */
const COLLECTED_HEAP = 64 << 20;
/** How long requests in flight are waited for at the end. */
const GRACE_MS = 5000;

/**
 * `boxship up`: serves the Kubernetes API until SIGTERM or SIGINT. When it is ready it says so to its parent, if that
 * listens: `{ ready: true, server, kubeconfig }`, or `{ failed, remedy }`.
 *
 * @param argv flags, see {@link parseClusterOptions}
 * @returns the exit status
 */
export async function runCluster(argv: readonly string[]): Promise<number> {
  const logger = createLogger();
  process.on("uncaughtException", (error) => {
    logger.error(`unexpected: ${error.message}`, { stack: error.stack });
    process.exit(1);
  });
  try {
    await serve(parseClusterOptions(argv), logger);
    return 0;
  } catch (error) {
    const { message, remedy, cause } = asBoxshipError(error);
    logger.error(`cannot start: ${message}`, { remedy, cause });
    await tell({ failed: message, ...(remedy === undefined ? {} : { remedy }) });
    return 1;
  }
}

async function serve(options: ClusterOptions, logger: Logger): Promise<void> {
  const started = performance.now();
  const { promise: stopped, resolve: stop } = Promise.withResolvers<string>();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop(signal));
  process.on("SIGHUP", () => {});
  await using stack = new AsyncDisposableStack();
  await mkdir(options.directory, { recursive: true, mode: 0o700 });
  await mkdir(options.runDir, { recursive: true, mode: 0o711 });
  stack.use(claim(options));
  const network = await settleNetwork(options.directory, options.network, options.name);
  const own = ownServiceAddresses(network);
  const ending = new AbortController();
  stack.defer(() => ending.abort());
  const podNetworks =
    options.criSocket === undefined
      ? Promise.resolve(undefined)
      : preparePodNetworks(options.criSocket, network, ending.signal);
  podNetworks.catch(() => {});
  const configured = await authentication(options);
  const scheduling = await schedulerConfiguration(options);
  const certified: CertificatesOptions = {
    directory: join(options.directory, "pki"),
    clock: systemClock,
    serviceAddress: own.api,
    clusterDomain: network.domain,
    names: [options.address],
  };
  const [store, certificates, secrets, signingKeys] = await Promise.all([
    openClusterStore(options),
    clusterCertificates(certified),
    EncryptedValues.open(join(options.directory, "secrets.keys")),
    SigningKeys.open(join(options.directory, "tokens.keys")),
  ]);
  stack.use(store);
  await secrets.removeUnfinished();
  const audit = await auditLog(options, logger);
  if (audit !== undefined) stack.use(audit);
  const nodes = new LocalNodes();
  const api = stack.use(
    await openApiServer({
      store,
      nodes,
      certificates,
      secrets,
      rotateKeys: () => rotateKeys(store, secrets),
      signingKeys,
      ...configured,
      ...(audit === undefined ? {} : { audit }),
      url: urlOf(options, options.port),
      serviceNetworks: network.services,
      clusterDomain: network.domain,
      port: options.port,
      logger,
    }),
  );
  const port = await listen(api.server, options);
  const server = urlOf(options, port);
  const writeKubeconfig = async (current: ClusterCertificates): Promise<void> => {
    const config = kubeconfig({ name: options.name, server, certificates: current });
    await putKubeconfig(options.kubeconfig, config);
  };
  await writeKubeconfig(certificates);
  const renewal = stack.use(new CertificateRenewal(certificates, { ...certified, logger }));
  renewal.use((renewed) => api.renew(renewed));
  renewal.use(writeKubeconfig);
  const pidFile = join(options.runDir, "cluster.pid");
  await writeFileAtomic(pidFile, `${process.pid}\n`, { mode: 0o644 });
  stack.defer(() => rm(pidFile, { force: true }));
  await writeUpRecord(options, { server, port });
  const name = await nodeName(options.directory);
  const addresses = stack.use(await HostAddresses.open({ clock: systemClock, logger }));
  await using controllers = startControllers({
    api,
    authority: certificates.signer,
    ...(scheduling === undefined ? {} : { scheduling }),
    // Without a node there is no place for volumes.
    ...(options.criSocket === undefined
      ? {}
      : {
          volumes: {
            directory: join(options.directory, "volumes"),
            nodeName: name,
            releaseMounts: releaseMountsBelow,
            limit: limitDirectory,
          },
        }),
    logger,
  });
  const clusterDns = { address: own.dns, domain: network.domain };
  await using services = startServices(options, api, {
    node: name,
    port,
    server,
    certificates: renewal,
    clusterDns,
    podNetworks,
    addresses,
    logger,
  });
  await using node = await startNode(options, api, {
    node: name,
    server,
    nodes,
    certificates: renewal,
    clusterDns,
    podNetworks,
    addresses,
    logger,
  });
  await Promise.race([soon(services.ready), refused(podNetworks)]);
  const idle = stack.use(new IdleMemory(systemClock, { release: () => void release() }));
  idle.watch(api.server);
  stack.use(renewal.use(() => idle.rareWork()));
  logger.info("ready", { server, milliseconds: Math.round(performance.now() - started) });
  await tell({ ready: true, server, kubeconfig: options.kubeconfig });
  await release();
  logger.info("stopping", { reason: await stopped });
  await node[Symbol.asyncDispose]();
  await services[Symbol.asyncDispose]();
  await controllers[Symbol.asyncDispose]();
  const closed = new Promise((resolve) => api.server.close(resolve));
  api.stop();
  using grace = systemClock.setTimeout(GRACE_MS, () => api.closeConnections());
  void grace;
  await closed;
}

/** Rejects when something is refused; never resolves. */
async function refused(task: Promise<unknown>): Promise<never> {
  await task;
  return await new Promise<never>(() => {});
}

/** Gives back what was needed to start, or for the last requests. */
async function release(): Promise<void> {
  if (process.memoryUsage().heapUsed < COLLECTED_HEAP) return await releaseMemory();
  trimAllocator();
  await releaseFilePages();
}

function urlOf({ address }: ClusterOptions, port: number): string {
  const host = address.includes(":") ? `[${address}]` : address;
  return `https://${address === "0.0.0.0" ? "127.0.0.1" : host}:${port}`;
}

/** @throws InvalidArgument for files that cannot be used */
async function authentication(options: ClusterOptions) {
  const { authenticationFile, tokenWebhook, authorizationFile, authorizationWebhook } = options;
  return {
    ...(authenticationFile === undefined
      ? {}
      : { authentication: parseAuthenticationFile(await readConfiguration(authenticationFile)) }),
    ...(tokenWebhook === undefined ? {} : { tokenWebhook: await readKubeconfig(tokenWebhook) }),
    ...(authorizationFile === undefined ? {} : { authorizationFile }),
    ...(authorizationWebhook === undefined ? {} : { authorizationWebhook: await readKubeconfig(authorizationWebhook) }),
  };
}

/** @throws InvalidArgument, Unsupported for a file that cannot be used */
async function schedulerConfiguration({
  schedulerConfig,
}: ClusterOptions): Promise<SchedulerConfiguration | undefined> {
  if (schedulerConfig === undefined) return undefined;
  const text = await readConfiguration(schedulerConfig);
  let document: Json;
  try {
    document = (load(text) ?? null) as Json;
  } catch (cause) {
    throw new InvalidArgument(`${schedulerConfig} is no YAML: ${errorMessage(cause)}`, { cause });
  }
  return readSchedulerConfiguration(document);
}

/** @throws InvalidArgument for a policy that is none */
async function auditLog(
  { auditPolicy, auditLog: path, auditWebhook }: ClusterOptions,
  logger: Logger,
): Promise<AuditLog | undefined> {
  if (auditPolicy === undefined) {
    if (auditWebhook === undefined) return undefined;
    throw new InvalidArgument("--audit-webhook-config-file needs --audit-policy-file, which says what is audited");
  }
  const policy = AuditPolicy.parse(await readConfiguration(auditPolicy));
  const webhook = auditWebhook === undefined ? {} : { webhook: await readKubeconfig(auditWebhook) };
  return await AuditLog.open({ policy, path, ...webhook, clock: systemClock, logger });
}

async function readConfiguration(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new InvalidArgument(`${path} cannot be read: ${errorMessage(cause)}`, { cause });
  }
}

/** @throws FailedPrecondition where another process has it */
function claim({ directory, name }: ClusterOptions): Disposable {
  const lock = tryLockFile(join(directory, "lock"));
  if (lock !== undefined) return lock;
  throw new FailedPrecondition(`the cluster of ${directory} is already running`, {
    subject: { kind: "cluster", name },
    remedy: "stop it by 'boxship down', or choose another --root",
  });
}

async function listen(
  server: Awaited<ReturnType<typeof openApiServer>>["server"],
  { address, port }: ClusterOptions,
): Promise<number> {
  server.listen(port, address);
  try {
    await once(server, "listening");
  } catch (error) {
    const code = systemCode(error);
    if (code !== "EADDRINUSE" && code !== "EADDRNOTAVAIL" && code !== "EACCES") throw error;
    throw new FailedPrecondition(`the cluster cannot listen at ${address}:${port}`, {
      cause: error,
      subject: { kind: "address", name: `${address}:${port}` },
      remedy: "choose another --port or --address",
    });
  }
  return (server.address() as AddressInfo).port;
}

/** The parent may have gone already. */
function tell(message: object): Promise<void> {
  return new Promise((resolve) => {
    const send = process.send?.bind(process);
    if (send === undefined || !process.connected) {
      resolve();
      return;
    }
    send(message, () => {
      if (process.connected) process.disconnect?.();
      resolve();
    });
  });
}
