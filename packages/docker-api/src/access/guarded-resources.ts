import { Conflict, NotFound } from "@boxship/base";
import type { CreateNetworkRequest, ImagesApi, NetworksApi, VolumesApi } from "@boxship/engine";
import { denied, only } from "./denied.ts";
import type { Guard } from "./guard.ts";
import { checkEndpoint, requireOwnName } from "./guarded-containers.ts";

const NETWORK_FIELDS: readonly string[] = [
  "name",
  "driver",
  "internal",
  "attachable",
  "enableIPv4",
  "enableIPv6",
  "ipam",
  "options",
  "labels",
];

const NETWORK_OPTIONS: readonly string[] = [
  "com.docker.network.bridge.enable_icc",
  "com.docker.network.bridge.enable_ip_masquerade",
  "com.docker.network.driver.mtu",
];

/** Bridges of its own with subnets of the engine's pools: other drivers and subnets reach into the host's network. */
function checkNetwork(guard: Guard, request: CreateNetworkRequest): void {
  const unknown = Object.keys(request).find((key) => !NETWORK_FIELDS.includes(key));
  if (unknown !== undefined) throw denied(guard.role, `the network option ${unknown}`);
  const { driver = "bridge", ipam = {}, options = {} } = request;
  if (driver !== "bridge" && driver !== "") throw denied(guard.role, `networks of driver ${driver}`);
  if (!["", "default"].includes(ipam.driver ?? "")) throw denied(guard.role, `the address driver ${ipam.driver}`);
  const chosen = ipam.config?.some((pool) => Object.keys(pool).length > 0) === true;
  if (chosen) throw denied(guard.role, "networks with subnets of their own", "leave out --subnet");
  const option = Object.keys(options).find((key) => !NETWORK_OPTIONS.includes(key));
  if (option !== undefined) throw denied(guard.role, `the network option ${option}`);
}

export function guardedNetworks(guard: Guard): NetworksApi {
  const { networks } = guard.engine;
  const read: Partial<NetworksApi> = {
    list: async () => (await networks.list()).filter(({ labels }) => guard.sees(labels)),
    get: (ref) => guard.network(ref),
  };
  if (guard.role.kind === "read-only") return only<NetworksApi>(guard.role, "networks", read);
  const container = async (ref: string) => (await guard.confinedContainer(ref)).id;
  return only<NetworksApi>(guard.role, "networks", {
    ...read,
    create: (request) => {
      checkNetwork(guard, request);
      return networks.create({ ...request, labels: guard.labelled(request.labels) });
    },
    remove: async (ref) => networks.remove((await guard.network(ref)).id),
    connect: async (ref, containerRef, endpoint) => {
      await checkEndpoint(guard, endpoint);
      const network = await guard.joinableNetwork(ref);
      return networks.connect(network, await container(containerRef), endpoint);
    },
    disconnect: async (ref, containerRef, force) => {
      const network = await guard.joinableNetwork(ref);
      return networks.disconnect(network, await container(containerRef), force);
    },
    prune: (filter) => networks.prune((view) => guard.sees(view.labels) && filter(view)),
  });
}

export function guardedVolumes(guard: Guard): VolumesApi {
  const { volumes } = guard.engine;
  const read: Partial<VolumesApi> = {
    list: async (options) => (await volumes.list(options)).filter(({ labels }) => guard.sees(labels)),
    get: (name) => guard.volume(name),
  };
  if (guard.role.kind === "read-only") return only<VolumesApi>(guard.role, "volumes", read);
  return only<VolumesApi>(guard.role, "volumes", {
    ...read,
    create: async ({ name, driver, options, labels, ...others }) => {
      const [other] = Object.keys(others);
      if (other !== undefined) throw denied(guard.role, `the volume option ${other}`);
      guard.checkVolumeOptions(driver, options);
      if (name !== undefined) await checkName(guard, name);
      return volumes.create({
        ...(name === undefined ? {} : { name }),
        ...(options === undefined ? {} : { options }),
        labels: guard.labelled(labels),
      });
    },
    remove: async (name, options) => {
      const { driver, options: own } = await guard.volume(name);
      guard.checkVolumeOptions(driver, own);
      await volumes.remove(name, options);
    },
    prune: (filter) =>
      volumes.prune((view) => guard.sees(view.labels) && Object.keys(view.options).length === 0 && filter(view)),
  });
}

/** The same name again is the volume that is there: not if it is another's. */
async function checkName(guard: Guard, name: string): Promise<void> {
  try {
    await guard.checkVolume(name);
  } catch (error) {
    if (!(error instanceof NotFound)) throw error;
    throw new Conflict(`volume name ${name} is taken`, { subject: { kind: "volume", name } });
  }
}

/** Images are shared: whoever may name them decides what others run. */
export function guardedImages(guard: Guard): ImagesApi {
  const { images } = guard.engine;
  const { role } = guard;
  const read: Partial<ImagesApi> = {
    list: async () => (await images.list()).filter((view) => guard.seesImage(view)),
    get: (ref) => guard.image(ref),
    history: async (ref) => images.history((await guard.image(ref)).id),
    save: async (refs, options) => {
      for (const ref of refs) await guard.image(ref);
      return images.save(refs, options);
    },
  };
  if (role.kind === "read-only") return only<ImagesApi>(role, "images", read);
  return only<ImagesApi>(role, "images", {
    ...read,
    pull: (reference, options) => images.pull(reference, options),
    inspectRemote: (reference, options) => images.inspectRemote(reference, options),
    search: (term, options) => images.search(term, options),
    push: async (reference, options) => {
      requireOwnName(role, reference, "pushing");
      return images.push(reference, options);
    },
    tag: async (ref, target) => {
      requireOwnName(role, target, "tagging an image as");
      return images.tag((await guard.image(ref)).id, target);
    },
    load: (archive, options) =>
      images.load(archive, {
        ...options,
        accept: (name) => requireOwnName(role, name, "loading the image"),
      }),
    remove: async (ref, { noPrune } = {}) => {
      requireOwnName(role, ref, "removing the image");
      await guard.image(ref);
      return images.remove(ref, noPrune === undefined ? {} : { noPrune });
    },
    import: (source, options) => {
      // The engine would fetch an address of its own network for the client.
      if (source.kind === "url") throw denied(role, "importing from an address", "send the archive");
      if (options.reference !== undefined) requireOwnName(role, options.reference, "importing as");
      return images.import(source, options);
    },
  });
}
