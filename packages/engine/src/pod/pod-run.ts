import { randomBytes } from "node:crypto";
import { chown, mkdir, writeFile } from "node:fs/promises";
import { Unsupported } from "@boxship/base";
import { refusedHere } from "../confined/confined-runtime.ts";
import { checkCgroupParent } from "../container/check-host-config.ts";
import { networkFiles } from "../container/start-network.ts";
import { type EngineContext, refuseWhileBeingRemoved } from "../context.ts";
import type { Remap } from "../remap/remap.ts";
import { mountPod, releasePodMounts } from "./pod-namespaces.ts";
import { ensurePodNetwork } from "./pod-network.ts";
import { holdPodUsers } from "./pod-users.ts";
import { POD_RECORD_VERSION, type PodRecord, type RunPodRequest } from "./record.ts";

/** Makes a pod: namespaces, addresses, published ports, files. Durable when it resolves; when it throws nothing is left. */
export async function runPod(context: EngineContext, request: RunPodRequest): Promise<PodRecord> {
  if (context.options.confined !== undefined) throw refusedHere();
  refuseWhileBeingRemoved(context);
  if (context.remap !== undefined) {
    throw new Unsupported("pods are not supported by an engine whose containers are in a user namespace", {
      remedy: "leave userns-remap out of its configuration",
    });
  }
  checkCgroupParent(request.cgroupParent);
  const id = randomBytes(32).toString("hex");
  await using undo = new AsyncDisposableStack();
  undo.defer(() => releasePodMounts(context, id));
  const users = await holdPodUsers(context, id, request);
  const addresses = request.network === "host" ? [] : await joinPodNetwork(context, id, request, undo, users);
  await mountPod(context, { id, request }, users);
  undo.defer(() => context.pods.delete(id));
  await writePodFiles(context, id, request, users);
  const created = context.clock.now();
  // What plugins were told is theirs now.
  const { plugins: _told, ...kept } = request;
  const record: PodRecord = { version: POD_RECORD_VERSION, id, created, request: kept, state: "ready", addresses };
  await context.pods.save(record);
  undo.move();
  return record;
}

async function joinPodNetwork(
  context: EngineContext,
  id: string,
  request: RunPodRequest,
  undo: AsyncDisposableStack,
  users: Remap | undefined,
): Promise<readonly string[]> {
  const { network } = context;
  network.warm();
  const networkId = await ensurePodNetwork(context);
  await network.createSandbox(id, {
    hostname: request.hostname,
    ...(request.dns === undefined ? {} : { dns: request.dns }),
    ...(request.sysctls === undefined ? {} : { sysctls: request.sysctls }),
    ...(users === undefined ? {} : { userNamespace: users.path }),
  });
  undo.defer(() => network.removeSandbox(id));
  const { ports = [], plugins = { capabilities: {}, args: {} } } = request;
  const { ipv4, ipv6, pluginPorts } = await network.connect({
    sandboxId: id,
    networkId,
    name: request.hostname,
    ...(request.bandwidth === undefined ? {} : { bandwidth: request.bandwidth }),
    plugins: { ...plugins, args: { ...plugins.args, K8S_POD_INFRA_CONTAINER_ID: id }, ports },
  });
  if (ports.length > 0 && pluginPorts !== true) await network.publish(id, ports);
  return [ipv4, ipv6].flatMap((address) => (address === undefined ? [] : [address.address]));
}

async function writePodFiles(
  context: EngineContext,
  id: string,
  request: RunPodRequest,
  users: Remap | undefined,
): Promise<void> {
  const { network } = context;
  const directory = context.pods.directoryOf(id);
  await mkdir(directory, { recursive: true, mode: 0o710 });
  const files = networkFiles(directory);
  const onHost = request.network === "host";
  await Promise.all([
    writeFile(files.resolvConf, resolvConf(context, id, request), { mode: 0o644 }),
    writeFile(files.hosts, onHost ? network.hostHostsFile([]) : network.hostsFile(id), { mode: 0o644 }),
    writeFile(files.hostname, `${request.hostname}\n`, { mode: 0o644 }),
  ]);
  if (users === undefined) return;
  await Promise.all(Object.values(files).map((file) => chown(file, users.root.uid, users.root.gid)));
}

/** Exactly what was asked for; what the machine has is nobody's business then. */
function resolvConf({ network }: EngineContext, id: string, { network: where, dns }: RunPodRequest): string {
  if (dns === undefined) return where === "host" ? network.hostResolvConf() : network.resolvConf(id);
  const { servers, search, options } = dns;
  return [
    ...(search.length === 0 ? [] : [`search ${search.join(" ")}\n`]),
    ...servers.map((server) => `nameserver ${server}\n`),
    ...(options.length === 0 ? [] : [`options ${options.join(" ")}\n`]),
  ].join("");
}
