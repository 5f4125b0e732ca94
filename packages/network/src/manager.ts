import { rm } from "node:fs/promises";
import { join } from "node:path";
import { errorMessage, KeyedMutex, readIfPresent } from "@boxship/base";
import type {
  ConnectOptions,
  CreateNetworkOptions,
  CreateSandboxOptions,
  EndpointRecord,
  ExtraHost,
  NetworkManagerOptions,
  NetworkRecord,
  PortBinding,
  PortMapping,
  PortSelection,
  Sandbox,
} from "./contract.ts";
import { findByFullName } from "./dns/answer.ts";
import { Upstreams } from "./dns/upstreams.ts";
import { closedError, closedErrors } from "./errors.ts";
import { Firewall } from "./firewall/firewall.ts";
import { forwardWarnings } from "./firewall/host-policy.ts";
import { checkPools, DefaultPools, uniqueLocalPool } from "./ipam/choose-subnet.ts";
import { type ForwardedZone, type ManagerContext, requireSandbox } from "./live.ts";
import { openState } from "./manager-open.ts";
import { checkInstanceName } from "./names.ts";
import { makeMissingBridge } from "./networks/default-bridge.ts";
import { requireReady } from "./networks/network-cni.ts";
import { checkNetwork, createNetwork } from "./networks/network-create.ts";
import { findNetwork } from "./networks/network-get.ts";
import { lowerNetwork } from "./networks/network-raise.ts";
import { removeNetwork } from "./networks/network-remove.ts";
import { PortChooser } from "./ports/port-chooser.ts";
import { publishPorts, unpublishPorts } from "./ports/ports-publish.ts";
import { removeTraces } from "./remove-traces.ts";
import { checkAttachments } from "./sandbox/cni-attach.ts";
import { connectEndpoint } from "./sandbox/endpoint-connect.ts";
import { disconnectEndpoint } from "./sandbox/endpoint-disconnect.ts";
import { LingeringLinks } from "./sandbox/lingering-links.ts";
import { NamespacePool } from "./sandbox/namespace-pool.ts";
import { createSandbox, describeSandbox } from "./sandbox/sandbox-create.ts";
import {
  hostGateway,
  hostHostsFile,
  hostResolvConf,
  sandboxHostsFile,
  sandboxResolvConf,
} from "./sandbox/sandbox-files.ts";
import { removeSandbox } from "./sandbox/sandbox-remove.ts";
import { renameSandbox } from "./sandbox/sandbox-rename.ts";
import { AttachmentStore } from "./state/attachment-store.ts";
import { NetworkStore } from "./state/network-store.ts";
import { SandboxStore } from "./state/sandbox-store.ts";
import { NetworkThread } from "./worker/network-thread.ts";

/** The networks of one instance and the containers on them; see `contract.ts` for what is promised. */
export class NetworkManager implements AsyncDisposable {
  readonly #context: ManagerContext;

  private constructor(context: ManagerContext) {
    this.#context = context;
  }

  /**
   * Loads what is recorded and brings the kernel to agree with it: bridges and the nftables table are made again, ports
   * reserved, resolvers reopened, leftovers of a crash removed. Call {@link reconcile} next.
   */
  static async open(options: NetworkManagerOptions): Promise<NetworkManager> {
    const context = createContext(options);
    const manager = new NetworkManager(context);
    try {
      await openState(context);
      return manager;
    } catch (error) {
      await manager[Symbol.asyncDispose]();
      throw closedError(error);
    }
  }

  /** Creates a network; see {@link CreateNetworkOptions}. */
  createNetwork(options: CreateNetworkOptions): Promise<NetworkRecord> {
    return closedErrors(createNetwork(this.#context, options));
  }

  /** Throws what {@link createNetwork} would if another network were gone, as far as that can be told beforehand. */
  checkNetwork(options: CreateNetworkOptions, without: string): Promise<void> {
    return closedErrors(checkNetwork(this.#context, options, without));
  }

  listNetworks(): readonly NetworkRecord[] {
    return [...this.#context.networks.values()].map(({ record }) => record);
  }

  /** @param reference a name, an id or the beginning of an id. Throws NotFound */
  getNetwork(reference: string): NetworkRecord {
    return findNetwork(this.#context, reference).record;
  }

  /**
   * Tries again to make the default bridge, where every address pool was taken when the program started. Whether it is
   * there, and else why not, {@link getNetwork} says.
   */
  async ensureDefaultBridge(): Promise<void> {
    try {
      await makeMissingBridge(this.#context);
    } catch (error) {
      this.#context.bridgeProblem = closedError(error);
    }
  }

  /** Names that containers on networks with names ask others for than the usual servers. @default none */
  forwardZones(zones: readonly ForwardedZone[]): void {
    this.#context.zones = zones;
  }

  /**
   * The addresses of a container by its name and that of its network, `name.network` in lower case, as members of the
   * network know it; undefined where there is none.
   */
  addressesOf(name: string): readonly string[] | undefined {
    return findByFullName(this.#context, name);
  }

  /** The members of a network. */
  listEndpoints(network: string): readonly EndpointRecord[] {
    return [...findNetwork(this.#context, network).endpoints.values()];
  }

  /**
   * Whether containers can be attached to a network now: what its CNI plugins and their configuration say. Others can.
   * Throws FailedPrecondition or Unavailable with what is missing.
   */
  requireReady(reference: string): Promise<void> {
    return closedErrors(requireReady(this.#context, findNetwork(this.#context, reference)));
  }

  /** Throws Conflict while the network has members, PermissionDenied for predefined networks. */
  removeNetwork(reference: string): Promise<void> {
    return closedErrors(removeNetwork(this.#context, reference));
  }

  /** Makes a network namespace with loopback up. Throws AlreadyExists. */
  createSandbox(id: string, options: CreateSandboxOptions): Promise<Sandbox> {
    return closedErrors(createSandbox(this.#context, id, options));
  }

  /** Throws NotFound. */
  getSandbox(id: string): Sandbox {
    return describeSandbox(requireSandbox(this.#context, id));
  }

  listSandboxes(): readonly Sandbox[] {
    return [...this.#context.sandboxes.values()].map(describeSandbox);
  }

  /** Gives a sandbox an interface on a network. */
  connect(options: ConnectOptions): Promise<EndpointRecord> {
    return closedErrors(connectEndpoint(this.#context, options));
  }

  /** Throws NotFound when the sandbox is not on the network. */
  disconnect(sandboxId: string, network: string): Promise<void> {
    return closedErrors(disconnectEndpoint(this.#context, sandboxId, network));
  }

  /**
   * Publishes ports of a sandbox on the host, besides those that it has published before, all or none; returns what
   * these came out as. In effect, and written down in the run directory, once it resolves; a sandbox that runs notices
   * nothing. Empty while the sandbox is on no bridge network that leads out: then they are published when it joins one.
   * Throws Conflict, naming address, port and who has it, InvalidArgument for a mapping that cannot be,
   * FailedPrecondition for an address that the host or the container does not have, ResourceExhausted for a range
   * without a free port.
   *
   * IPv4 connections, those to 127.0.0.1 included, and IPv6 ones to containers with an IPv6 address are translated by the
   * kernel, and the container sees who its client is. Connections to ::1, and IPv6 ones to containers that have IPv4
   * only, go through a proxy in this process: the container sees the bridge's address, and they end with the process.
   */
  publish(sandboxId: string, mappings: readonly PortMapping[]): Promise<readonly PortBinding[]> {
    return closedErrors(publishPorts(this.#context, sandboxId, mappings));
  }

  /**
   * Takes published ports of a sandbox back, without a selection all of them (idempotent). Others may have them once it
   * resolves. TCP connections that are open go on, but for those through the proxy; datagrams no longer arrive. Throws
   * NotFound, and takes nothing back, when a selection names a port that is not published.
   */
  unpublish(sandboxId: string, selections?: readonly PortSelection[]): Promise<void> {
    return closedErrors(unpublishPorts(this.#context, sandboxId, selections));
  }

  /** Gives the container another DNS name. */
  renameSandbox(id: string, name: string): Promise<void> {
    return closedErrors(renameSandbox(this.#context, id, name));
  }

  /**
   * Removes a sandbox with its interfaces, addresses and ports. Idempotent. The kernel takes the interfaces apart some
   * ten milliseconds later, once no process is in the namespace.
   */
  removeSandbox(id: string): Promise<void> {
    return closedErrors(removeSandbox(this.#context, id));
  }

  /** The text of the container's /etc/resolv.conf, as its networks are now. */
  resolvConf(sandboxId: string): string {
    return sandboxResolvConf(this.#context, sandboxId);
  }

  /** The text of the container's /etc/hosts, as its networks are now. */
  hostsFile(sandboxId: string): string {
    return sandboxHostsFile(this.#context, sandboxId);
  }

  /** The /etc/resolv.conf of containers on the host's network. */
  hostResolvConf(): string {
    return hostResolvConf(this.#context);
  }

  /** Addresses of the host as containers on the default bridge see it: what `host-gateway` means. */
  hostGateways(): readonly string[] {
    return hostGateway(this.#context);
  }

  /** The /etc/hosts of containers on the host's network. */
  hostHostsFile(extraHosts: readonly ExtraHost[] = []): string {
    return hostHostsFile(this.#context, extraHosts);
  }

  /** Removes every sandbox that is not one of these. To be called once after {@link open}. */
  async reconcile(liveSandboxIds: readonly string[]): Promise<void> {
    const live = new Set(liveSandboxIds);
    const dead = [...this.#context.sandboxes.keys()].filter((id) => !live.has(id));
    await Promise.all(dead.map((id) => this.removeSandbox(id)));
    await checkAttachments(this.#context);
  }

  /** What on this host keeps networks from working, as sentences. */
  async warnings(): Promise<readonly string[]> {
    const { thread, name, networks, bridgeProblem } = this.#context;
    const missing = bridgeProblem === undefined ? [] : [`network bridge could not be made: ${bridgeProblem.message}`];
    const broken = [...networks.values()].flatMap(({ record, problem }) => {
      return problem === undefined ? [] : [`network ${record.name} could not be brought up: ${errorMessage(problem)}`];
    });
    return [
      ...missing,
      ...broken,
      ...forwardWarnings(name, await closedErrors(thread.call("listForwardDrops", undefined))),
    ];
  }

  /** Starts the worker thread ahead of work that is about to come. */
  warm(): void {
    this.#context.thread.warm();
  }

  /** Removes every trace of this instance from the host, its records included. The manager is not usable afterwards. */
  async destroy(): Promise<void> {
    const context = this.#context;
    await this.reconcile([]);
    await context.lingering.flush();
    for (const network of context.networks.values()) await lowerNetwork(context, network);
    context.networks.clear();
    await context.firewall.remove();
    await this[Symbol.asyncDispose]();
    // What was being made beside this: from here on nothing can be.
    await removeTraces(context);
    await rm(context.pool.directory, { recursive: true, force: true });
    await rm(join(context.runDir, "sandboxes"), { recursive: true, force: true });
    await rm(join(context.root, "networks.json"), { force: true });
    await context.attachments.clear();
  }

  /**
   * Takes what {@link open} made out of the kernel when no container has a sandbox: for a program that cannot start after
   * all. The records stay. Dispose the manager next.
   */
  async withdraw(): Promise<void> {
    const context = this.#context;
    if (context.sandboxes.size > 0) return;
    for (const network of context.networks.values()) await lowerNetwork(context, network);
    await context.firewall.remove();
  }

  /** Lets go of sockets and threads; containers keep their networks, and {@link open} finds them again. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { sandboxes, pool, thread, lingering } = this.#context;
    for (const sandbox of sandboxes.values()) {
      for (const reservation of sandbox.reservations.splice(0)) reservation.leave();
      sandbox.resolver?.[Symbol.dispose]();
      sandbox.resolver = undefined;
    }
    await lingering.flush();
    await pool.close();
    await thread[Symbol.asyncDispose]();
  }
}

const CNI_PLUGINS = ["/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"];

function createContext(options: NetworkManagerOptions): ManagerContext {
  const { root, runDir, logger, clock } = options;
  const name = checkInstanceName(options.name);
  const thread = new NetworkThread({ clock, idle: options.workerIdle ?? 30_000 });
  return {
    name,
    root,
    runDir,
    clock,
    logger,
    addressPools: checkPools(options.addressPools ?? [...DefaultPools, uniqueLocalPool(machineId(), name)]),
    hostResolvConf: options.hostResolvConf ?? "/etc/resolv.conf",
    subnetLock: options.subnetLock ?? "/run/boxship-networks.lock",
    outsidePorts: options.outsidePorts,
    thread,
    firewall: new Firewall({ thread, name, logger }),
    pool: new NamespacePool({ runDir, thread, logger, size: options.namespacePool ?? 3 }),
    networkStore: new NetworkStore(root, logger),
    sandboxStore: new SandboxStore(runDir),
    portChooser: new PortChooser(),
    upstreams: new Upstreams({ clock }),
    zones: [],
    locks: new KeyedMutex(),
    networks: new Map(),
    sandboxes: new Map(),
    lingering: new LingeringLinks({ clock, logger, thread }),
    bridgeProblem: undefined,
    attachments: new AttachmentStore(root, logger),
    cni: { directories: options.cniPlugins ?? CNI_PLUGINS, clock },
    cniConfigurations: options.cniConfigurations ?? "/etc/cni/net.d",
  };
}

/** What tells this machine from others; without one, hosts share an IPv6 prefix, which matters only once they meet. */
function machineId(): string {
  return readIfPresent("/etc/machine-id")?.trim() ?? "";
}
