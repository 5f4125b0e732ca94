import { AlreadyExists, NotFound } from "@boxship/base";
import type { ContainersApi, CreateContainerRequest, EndpointRequest, ExecsApi, HostConfig } from "@boxship/engine";
import { parseReference, repositoryName } from "@boxship/oci";
import { checkHostConfig, checkResources, referencesOf } from "./confined-options.ts";
import { denied, only } from "./denied.ts";
import type { Guard } from "./guard.ts";
import { ownsRepository, type Role } from "./role.ts";

/** @throws PermissionDenied unless the name is in a repository of the role */
export function requireOwnName(role: Role, name: string, what: string): void {
  if (ownsRepository(role, repositoryName(parseReference(name)))) return;
  const own = role.images ?? [];
  const remedy = own.length === 0 ? "the socket has no images of its own" : `use a name of: ${own.join(", ")}`;
  throw denied(role, `${what} ${name}`, remedy);
}

/** Containers of which nothing can be changed. */
function readContainers(guard: Guard): Partial<ContainersApi> {
  const { containers } = guard.engine;
  const visible = async (ref: string) => (await guard.container(ref)).id;
  const confined = async (ref: string) => (await guard.confinedContainer(ref)).id;
  return {
    list: async (options) => (await containers.list(options)).filter((view) => guard.seesContainer(view)),
    get: (ref, options) => guard.container(ref, options),
    logs: async (ref, options) => containers.logs(await visible(ref), options),
    logAttributes: async (ref) => containers.logAttributes(await visible(ref)),
    wait: async (ref, condition, signal) => containers.wait(await visible(ref), condition, signal),
    top: async (ref, args) => containers.top(await visible(ref), args),
    stats: async (ref) => containers.stats(await visible(ref)),
    // Files of the host that are mounted in a container are read through it.
    changes: async (ref) => containers.changes(await confined(ref)),
    statPath: async (ref, path) => containers.statPath(await confined(ref), path),
    getArchive: async (ref, path) => containers.getArchive(await confined(ref), path),
    export: async (ref) => containers.export(await confined(ref)),
  };
}

export function readOnlyContainers(guard: Guard): ContainersApi {
  return only<ContainersApi>(guard.role, "containers", readContainers(guard));
}

export function confinedContainers(guard: Guard): ContainersApi {
  const { containers } = guard.engine;
  const id = async (ref: string) => (await guard.confinedContainer(ref)).id;
  return only<ContainersApi>(guard.role, "containers", {
    ...readContainers(guard),
    create: async (request) => {
      const confined = await confinedRequest(guard, request);
      return await hidingOwner(guard, request.name, () => containers.create(confined));
    },
    start: async (ref) => containers.start(await id(ref)),
    stop: async (ref, options) => containers.stop(await id(ref), options),
    restart: async (ref, options) => containers.restart(await id(ref), options),
    kill: async (ref, signal) => containers.kill(await id(ref), signal),
    pause: async (ref) => containers.pause(await id(ref)),
    unpause: async (ref) => containers.unpause(await id(ref)),
    rename: async (ref, name) => {
      const own = await id(ref);
      await hidingOwner(guard, name, () => containers.rename(own, name));
    },
    remove: async (ref, options) => containers.remove(await id(ref), options),
    prune: (filter) => containers.prune((view) => guard.isConfined(view) && filter(view)),
    attach: async (ref, options) => containers.attach(await id(ref), options),
    resize: async (ref, size) => containers.resize(await id(ref), size),
    putArchive: async (ref, path, archive, options) => containers.putArchive(await id(ref), path, archive, options),
    update: async (ref, { resources, restartPolicy, ...others }) => {
      const [other] = Object.keys(others);
      if (other !== undefined) throw denied(guard.role, `changing ${other}`);
      if (resources !== undefined) checkResources(resources, guard.role);
      return containers.update(await id(ref), {
        ...(resources === undefined ? {} : { resources }),
        ...(restartPolicy === undefined ? {} : { restartPolicy }),
      });
    },
    commit: async (ref, options = {}) => {
      if (options.reference !== undefined) requireOwnName(guard.role, options.reference, "committing to");
      return containers.commit(await id(ref), options);
    },
  });
}

/** That a name is taken cannot be hidden; who has it can. */
async function hidingOwner<T>(guard: Guard, name: string | undefined, task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (error) {
    if (!(error instanceof AlreadyExists) || guard.role.label === undefined) throw error;
    throw new AlreadyExists(`Conflict. The container name "/${name}" is already in use.`, {
      subject: { kind: "container", name: name ?? "" },
    });
  }
}

const REQUEST_FIELDS: readonly string[] = ["name", "platform", "config", "hostConfig", "endpoints"];

/** The request with the role's label, and with ids for whatever it refers to: names can be given to others later. */
async function confinedRequest(guard: Guard, request: CreateContainerRequest): Promise<CreateContainerRequest> {
  const unknown = Object.keys(request).find((key) => !REQUEST_FIELDS.includes(key));
  if (unknown !== undefined) throw denied(guard.role, `the option ${unknown}`);
  const { hostConfig } = request;
  checkHostConfig(hostConfig, guard.role);
  const ids = new Map<string, string>();
  const references = referencesOf(hostConfig);
  for (const ref of references.containers) ids.set(ref, (await guard.confinedContainer(ref)).id);
  for (const name of references.volumes) await ownVolume(guard, name);
  for (const ref of references.images) await checkImage(guard, ref);
  await checkImage(guard, request.config.image);
  const endpoints = await confinedEndpoints(guard, request.endpoints);
  return {
    ...request,
    config: { ...request.config, labels: guard.labelled(request.config.labels) },
    hostConfig: await withIds(guard, hostConfig, ids),
    ...(endpoints === undefined ? {} : { endpoints }),
  };
}

/** An image that the role may use; a missing one is the engine's to tell. */
async function checkImage(guard: Guard, ref: string): Promise<void> {
  const found = await guard.engine.images.get(ref).catch(() => undefined);
  if (found !== undefined && !guard.seesImage(found)) await guard.image(ref);
}

/** A volume that is there and the role's, or that is made so. */
async function ownVolume(guard: Guard, name: string): Promise<void> {
  await guard.checkVolume(name);
  if (guard.role.label !== undefined) await guard.engine.volumes.create({ name, labels: guard.labelled() });
}

async function withIds(guard: Guard, hostConfig: HostConfig, ids: ReadonlyMap<string, string>): Promise<HostConfig> {
  const { networkMode, ipcMode, pidMode, volumesFrom, links } = hostConfig;
  const swap = (text: string, prefix: string) => {
    const [ref = "", ...rest] = text.slice(prefix.length).split(":");
    return prefix + [ids.get(ref.replace(/^\//, "")) ?? ids.get(ref) ?? ref, ...rest].join(":");
  };
  const joined = (mode: string) => (mode.startsWith("container:") ? swap(mode, "container:") : mode);
  // The engine wants a network's name where the mode is one; that it is a visible one has been seen here.
  for (const ref of referencesOf(hostConfig).networks) await guard.joinableNetwork(ref);
  return {
    ...hostConfig,
    ...(networkMode === undefined ? {} : { networkMode: joined(networkMode) }),
    ...(ipcMode === undefined ? {} : { ipcMode: joined(ipcMode) }),
    ...(pidMode === undefined ? {} : { pidMode: joined(pidMode) }),
    ...(volumesFrom === undefined ? {} : { volumesFrom: volumesFrom.map((spec) => swap(spec, "")) }),
    // A link's first part is also the name that it is known by.
    ...(links === undefined ? {} : { links: links.map((link) => withAlias(link, swap)) }),
  };
}

function withAlias(link: string, swap: (text: string, prefix: string) => string): string {
  const plain = link.replace(/^\//, "");
  return swap(plain.includes(":") ? plain : `${plain}:${plain}`, "");
}

/** @throws PermissionDenied, NotFound */
export async function confinedEndpoints(
  guard: Guard,
  endpoints: CreateContainerRequest["endpoints"],
): Promise<CreateContainerRequest["endpoints"]> {
  for (const [ref, endpoint] of Object.entries(endpoints ?? {})) {
    await guard.joinableNetwork(ref);
    await checkEndpoint(guard, endpoint);
  }
  return endpoints;
}

export async function checkEndpoint(guard: Guard, { driverOptions, links }: EndpointRequest): Promise<void> {
  if (Object.keys(driverOptions ?? {}).length > 0) throw denied(guard.role, "driver options of endpoints");
  for (const link of links ?? []) await guard.confinedContainer((link.split(":", 1)[0] ?? "").replace(/^\//, ""));
}

export function guardedExecs(guard: Guard): ExecsApi {
  const { execs } = guard.engine;
  const read: Partial<ExecsApi> = { get: async (id) => await visibleExec(guard, id) };
  if (guard.role.kind === "read-only") return only<ExecsApi>(guard.role, "exec", read);
  const own = async (id: string) => {
    const { containerId, config } = await visibleExec(guard, id);
    // Another client may have prepared it.
    if (config.privileged === true) throw denied(guard.role, "exec --privileged");
    await guard.confinedContainer(containerId);
    return id;
  };
  return only<ExecsApi>(guard.role, "exec", {
    ...read,
    create: async (ref, config) => {
      if (config.privileged === true) throw denied(guard.role, "exec --privileged");
      return execs.create((await guard.confinedContainer(ref)).id, config);
    },
    start: async (id, options) => execs.start(await own(id), options),
    startDetached: async (id) => execs.startDetached(await own(id)),
    resize: async (id, size) => execs.resize(await own(id), size),
  });
}

async function visibleExec(guard: Guard, id: string) {
  const exec = await guard.engine.execs.get(id);
  try {
    await guard.container(exec.containerId);
  } catch (error) {
    if (!(error instanceof NotFound)) throw error;
    throw new NotFound(`no such exec instance: ${id}`, { subject: { kind: "exec", name: id } });
  }
  return exec;
}
