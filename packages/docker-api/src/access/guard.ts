import { NotFound } from "@boxship/base";
import type { ContainerRecord, ContainerView, EngineApi, ImageView, NetworkView, VolumeView } from "@boxship/engine";
import { checkHostConfig, referencesOf } from "./confined-options.ts";
import { denied } from "./denied.ts";
import type { Role } from "./role.ts";

/** Names that every container may join without seeing the network. */
const COMMON_NETWORKS = new Set(["default", "bridge", "none"]);
const DEPTH = 8;

type Labels = Readonly<Record<string, string>>;

/** What a role sees of an engine, and which of it is as confined as the role itself. */
export class Guard {
  readonly engine: EngineApi;
  readonly role: Role;

  constructor(engine: EngineApi, role: Role) {
    this.engine = engine;
    this.role = role;
  }

  /** Whether something with these labels is there for the role. */
  sees(labels: Labels | undefined): boolean {
    const { label } = this.role;
    return label === undefined || (labels !== undefined && labels[label.key] === label.value);
  }

  /** The labels of something new. */
  labelled(labels: Labels = {}): Labels {
    const { label } = this.role;
    return label === undefined ? labels : { ...labels, [label.key]: label.value };
  }

  /** By the labels that it was created with: those of an image are whoever made the image's. */
  seesContainer(view: ContainerView): boolean {
    return this.sees(view.config.labels);
  }

  /** @throws NotFound for one that the role does not see, in the words for one that does not exist */
  async container(ref: string, options?: { readonly size?: boolean }): Promise<ContainerView> {
    const view = await this.engine.containers.get(ref, options);
    if (this.seesContainer(view)) return view;
    throw new NotFound(`no such container: ${ref}`, { subject: { kind: "container", name: ref } });
  }

  async network(ref: string): Promise<NetworkView> {
    const view = await this.engine.networks.get(ref);
    if (this.sees(view.labels)) return view;
    throw new NotFound(`network ${ref} not found`, { subject: { kind: "network", name: ref } });
  }

  /**
   * Images are shared; one that has the role's label with another value, as one that was committed from another's container
   * has it, is that one's alone.
   */
  seesImage({ config: { labels } }: ImageView): boolean {
    const { label } = this.role;
    const value = label === undefined ? undefined : labels?.[label.key];
    return value === undefined || value === label?.value;
  }

  async image(ref: string): Promise<ImageView> {
    const view = await this.engine.images.get(ref);
    if (this.seesImage(view)) return view;
    throw new NotFound(`No such image: ${ref}`, { subject: { kind: "image", name: ref } });
  }

  async volume(name: string): Promise<VolumeView> {
    const view = await this.engine.volumes.get(name);
    if (this.sees(view.labels)) return view;
    throw new NotFound(`no such volume: ${name}`, { subject: { kind: "volume", name } });
  }

  /**
   * The container, once it is sure that it has nothing that the role could not have given it: otherwise to enter it, to
   * read or write its files or to start it would be a way around the role.
   *
   * @throws PermissionDenied, NotFound
   */
  async confinedContainer(ref: string, depth = 0): Promise<ContainerView> {
    const view = await this.container(ref);
    if (depth > DEPTH) throw denied(this.role, `containers that share with others over more than ${DEPTH} steps`);
    checkHostConfig(view.hostConfig, this.role);
    for (const { type, source, name = "" } of view.mounts) {
      if (type === "bind" && this.role.mounts?.includes(source) !== true) {
        throw denied(this.role, `container ${view.name}: it has ${source} of the host mounted`);
      }
      // An anonymous volume has no label, and is its container's own.
      if (type === "volume") await this.checkVolume(name, { anonymous: true });
    }
    if (view.endpoints.some(({ networkName }) => networkName === "host")) throw denied(this.role, "--network host");
    for (const other of referencesOf(view.hostConfig).containers) await this.confinedContainer(other, depth + 1);
    return view;
  }

  /** Whether the role sees a container and could have made it, as far as its own options tell. */
  isConfined(view: ContainerRecord): boolean {
    try {
      checkHostConfig(view.hostConfig, this.role);
    } catch {
      return false;
    }
    const binds = view.mounts.filter(({ type }) => type === "bind");
    return this.sees(view.config.labels) && binds.every(({ source }) => this.role.mounts?.includes(source) === true);
  }

  /** A volume that a container may mount. Missing is success: it is made with the role's label. */
  async checkVolume(name: string, { anonymous = false } = {}): Promise<void> {
    const view = await this.engine.volumes.get(name).catch((error: unknown) => {
      if (error instanceof NotFound) return undefined;
      throw error;
    });
    if (view === undefined) return;
    if (!(anonymous && view.anonymous) && !this.sees(view.labels)) await this.volume(name);
    this.checkVolumeOptions(view.driver, view.options);
  }

  /** A driver's options name devices and directories of the host, or machines to mount from. */
  checkVolumeOptions(driver: string | undefined, options: Readonly<Record<string, string>> = {}): void {
    if (driver !== undefined && !["", "local"].includes(driver)) throw denied(this.role, `volumes of driver ${driver}`);
    const option = Object.keys(options).find((key) => key !== "size");
    if (option !== undefined) throw denied(this.role, `volumes with the option ${option}`);
  }

  /** @returns what to call it for the engine: names of the common networks stay, others become ids */
  async joinableNetwork(ref: string): Promise<string> {
    if (COMMON_NETWORKS.has(ref)) return ref;
    const { id, name } = await this.network(ref);
    if (name === "host") throw denied(this.role, "--network host");
    return COMMON_NETWORKS.has(name) ? name : id;
  }
}
