import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { InvalidArgument, NotFound } from "@boxship/base";
import { refusedHere } from "../confined/confined-runtime.ts";
import { type EngineContext, eventAttributes, refuseWhileBeingRemoved } from "../context.ts";
import { volumeResolver } from "../volume/volume-ensure.ts";
import { checkHostConfig, storageLimit } from "./check-host-config.ts";
import type { CreateContainerRequest, HostConfig } from "./config.ts";
import { CONTAINER_MARK } from "./container-changes.ts";
import { generateContainerName, parseContainerName } from "./container-name.ts";
import { withoutDiscarded } from "./discarded-limits.ts";
import { effectiveConfig } from "./effective-config.ts";
import { resolveMounts } from "./mounts-resolve.ts";
import { checkNetworkOptions, DEFAULT_NETWORK, networkModeOf, plannedEndpoints } from "./network-mode.ts";
import { type ContainerRecord, RECORD_VERSION } from "./record.ts";
import { requireSource } from "./start-rootfs.ts";

/**
 * Makes a container: its record, its writable layer and its anonymous volumes. Durable when it resolves; when it throws
 * nothing is left.
 */
export async function createContainer(
  context: EngineContext,
  request: CreateContainerRequest,
): Promise<{ readonly id: string; readonly warnings: readonly string[] }> {
  if (context.options.confined !== undefined) throw refusedHere();
  refuseWhileBeingRemoved(context);
  const { containers } = context;
  const id = randomBytes(32).toString("hex");
  const name =
    request.name === undefined || request.name === ""
      ? generateContainerName((candidate) => containers.hasName(candidate))
      : parseContainerName(request.name);
  const warnings = checkHostConfig(request, context);

  await using undo = new AsyncDisposableStack();
  containers.reserveName(name, id);
  undo.defer(() => containers.releaseName(name, id));
  using pins = new DisposableStack();
  const image = await context.images.forContainer(request.config.image, request.platform);
  pins.use(context.pins.take(image.id));

  const mode = networkModeOf(request.hostConfig);
  // A start will follow, and with it work for the network.
  if (mode.kind === "network" || mode.kind === "none") context.network.warm();
  const effective = effectiveConfig(request.config, image.run, mode.kind === "host" ? hostname() : id.slice(0, 12));
  checkNetworkOptions(mode, request.hostConfig, request.config);
  await context.network.ensureDefaultBridge();
  const endpoints = plannedEndpoints(request, mode, (ref) =>
    // Clients name the default network by its mode.
    present(() => context.network.getNetwork(ref === "default" ? DEFAULT_NETWORK : ref), `network ${ref} not found`),
  );
  for (const link of request.hostConfig.links ?? []) {
    const [ref = ""] = link.split(":");
    present(() => containers.resolve(ref), `could not get container for ${ref}: No such container: ${ref}`);
  }
  await requireBindSources(context, request.hostConfig);
  const resolver = volumeResolver(context, pins, undo);
  const mounts = await resolveMounts(
    { hostConfig: request.hostConfig, anonymousPaths: effective.volumes },
    {
      ...resolver,
      container: (ref) => present(() => resolver.container(ref), `No such container: ${ref}`),
    },
  );

  undo.defer(() => containers.delete(id));
  undo.defer(() => context.snapshotter.removeContainer(id));
  const sizeLimit = storageLimit(request.hostConfig, context);
  await Promise.all([
    containers.prepare(id),
    context.snapshotter.createContainer(id, image.chainId, sizeLimit === undefined ? {} : { sizeLimit }),
  ]);
  // Where Docker has it; pods are without.
  if (request.hostConfig.pod === undefined)
    await writeFile(context.snapshotter.upperDirectory(id) + CONTAINER_MARK, "", { mode: 0o755 });
  const record: ContainerRecord = {
    version: RECORD_VERSION,
    id,
    name,
    created: context.clock.now(),
    imageId: image.id,
    ...(image.chainId === undefined ? {} : { chainId: image.chainId }),
    platform: image.platform,
    config: request.config,
    effective,
    hostConfig: enforced(request.hostConfig, context),
    mounts,
    endpoints: endpoints.map((endpoint) => ({
      networkId: endpoint.id,
      networkName: endpoint.name,
      request: endpoint.request,
    })),
    ports: [],
    state: { status: "created", exitCode: 0 },
    restartCount: 0,
    stoppedByUser: false,
  };
  await containers.save(record);
  undo.move();
  context.events.publish("container", "create", id, eventAttributes(record));
  return { id, warnings };
}

/** What `--mount` binds must be there; what `-v` binds is made at the start. */
async function requireBindSources(context: EngineContext, { mounts = [] }: HostConfig): Promise<void> {
  for (const { type, source = "", target, bindOptions } of mounts) {
    if (type !== "bind" || !source.startsWith("/") || bindOptions?.createMountpoint === true) continue;
    await requireSource(context, { source, destination: target });
  }
}

function enforced(hostConfig: HostConfig, { runtime }: EngineContext): HostConfig {
  const { resources } = hostConfig;
  return resources === undefined ? hostConfig : { ...hostConfig, resources: withoutDiscarded(resources, runtime.host) };
}

/** For a client that creates a container "not found" means the image, which it would go and pull. */
function present<T>(find: () => T, message: string): T {
  try {
    return find();
  } catch (cause) {
    throw cause instanceof NotFound ? new InvalidArgument(message, { cause }) : cause;
  }
}
