import { AlreadyExists, Conflict, FailedPrecondition, NotFound } from "@boxship/base";
import { type EngineContext, eventAttributes } from "../context.ts";
import type { HostConfig, PortBinding } from "./config.ts";
import { networkModeOf } from "./network-mode.ts";
import { parseHostPorts, parsePort, type WantedPort, wantedPorts } from "./port-bindings.ts";
import type { ContainerRecord, PublishedPort } from "./record.ts";
import { portMapping, publishedPort } from "./start-network.ts";
import { isAlive } from "./state.ts";

/**
 * Published ports of a container that exists. A stopped one has them at its next start; of one that runs they change at once,
 * and connections that are open go on.
 *
 * Durable: what is in the record is what is published. A port is published before it is recorded, and taken from the record
 * before it is taken back; after a crash in between {@link settlePorts} takes back what the record does not have.
 */

/** Names published ports; absent parts fit any. */
export interface PortChoice {
  /** `80/tcp` */
  readonly port: string;
  readonly hostIp?: string;
  readonly hostPort?: number;
}

/** Publishes a port. @returns where it is, when the container runs. @throws AlreadyExists, Conflict a port in use */
export async function addPort(
  context: EngineContext,
  ref: string,
  port: string,
  binding: PortBinding,
): Promise<readonly PublishedPort[]> {
  const { id } = context.containers.resolve(ref);
  const { containerPort, protocol } = parsePort(port);
  const key = `${containerPort}/${protocol}`;
  const [wanted] = wantedPorts({ portBindings: { [key]: [binding] } }, []);
  return await context.locks.run(id, async () => {
    const record = context.containers.resolve(id);
    refuseWithoutNetwork(record);
    const { portBindings = {} } = record.hostConfig;
    const known = portBindings[key] ?? [];
    if (known.some((other) => sameBinding(other, binding) && (binding.hostPort ?? "") !== "")) {
      throw new AlreadyExists(`container ${record.name} publishes ${key} there already`, {
        subject: { kind: "port", name: key },
      });
    }
    const { exposedPorts } = record.effective;
    const changed: ContainerRecord = {
      ...record,
      effective: { ...record.effective, exposedPorts: [...new Set([...exposedPorts, key])] },
      hostConfig: { ...record.hostConfig, portBindings: { ...portBindings, [key]: [...known, binding] } },
    };
    const published = isAlive(record.state) && wanted !== undefined ? await publish(context, record, wanted) : [];
    try {
      await context.containers.save({ ...changed, ports: [...record.ports, ...published] });
    } catch (error) {
      await withdraw(context, record, published);
      throw error;
    }
    context.events.publish("container", "update", id, eventAttributes(changed));
    return published;
  });
}

/** Takes published ports back. @throws NotFound none fits the choice */
export async function removePort(context: EngineContext, ref: string, choice: PortChoice): Promise<void> {
  const { id } = context.containers.resolve(ref);
  const { containerPort, protocol } = parsePort(choice.port);
  const key = `${containerPort}/${protocol}`;
  await context.locks.run(id, async () => {
    const record = context.containers.resolve(id);
    const gone = record.ports.filter((port) => isChosen(port, { ...choice, port: key }));
    const hostConfig = withoutBindings(explicitPorts(record), key, choice, gone);
    if (gone.length === 0 && hostConfig === undefined) {
      const where = [choice.hostIp, choice.hostPort].filter((part) => part !== undefined).join(":");
      throw new NotFound(`container ${record.name} does not publish ${key}${where === "" ? "" : ` at ${where}`}`, {
        subject: { kind: "port", name: key },
      });
    }
    const changed: ContainerRecord = {
      ...record,
      hostConfig: hostConfig ?? record.hostConfig,
      ports: record.ports.filter((port) => !gone.includes(port)),
    };
    await context.containers.save(changed);
    await withdraw(context, record, gone);
    context.events.publish("container", "update", id, eventAttributes(changed));
  });
}

/** After a crash: takes back what is published and not in the record. The caller holds the lock. */
export async function settlePorts(context: EngineContext, record: ContainerRecord): Promise<void> {
  const sandbox = context.network.listSandboxes().find(({ id }) => id === record.id);
  const known = new Set(record.ports.map(portKey));
  const extra = (sandbox?.ports ?? []).map(publishedPort).filter((port) => !known.has(portKey(port)));
  await withdraw(context, record, extra);
}

async function publish(
  context: EngineContext,
  { id }: ContainerRecord,
  wanted: WantedPort,
): Promise<readonly PublishedPort[]> {
  return (await context.network.publish(id, [portMapping(wanted)])).map(publishedPort);
}

async function withdraw(
  { network }: EngineContext,
  { id }: ContainerRecord,
  ports: readonly PublishedPort[],
): Promise<void> {
  if (ports.length === 0) return;
  await network.unpublish(
    id,
    ports.map(({ protocol, containerPort, hostIp, hostPort }) => ({
      protocol,
      containerPort,
      hostIP: hostIp,
      hostPort,
    })),
  );
}

function refuseWithoutNetwork({ name, hostConfig, effective, state }: ContainerRecord): void {
  const subject = { kind: "container", name };
  if (state.status === "removing" || state.status === "dead") {
    throw new FailedPrecondition(`container ${name} is being removed`, { subject });
  }
  const { kind } = networkModeOf(hostConfig);
  if (kind === "network" && effective.networkDisabled !== true) return;
  const where = {
    host: "the host's network",
    container: "another container's network",
    pod: "its pod's network",
    none: "no network",
  };
  throw new Conflict(`container ${name} is on ${where[kind === "network" ? "none" : kind]} and cannot publish ports`, {
    subject,
  });
}

const portKey = ({ protocol, containerPort, hostIp, hostPort }: PublishedPort): string =>
  `${protocol} ${containerPort} ${hostIp} ${hostPort}`;

function sameBinding(a: PortBinding, b: PortBinding): boolean {
  return (a.hostIp ?? "") === (b.hostIp ?? "") && (a.hostPort ?? "") === (b.hostPort ?? "");
}

function isChosen(port: PublishedPort, { port: key, hostIp, hostPort }: PortChoice): boolean {
  if (`${port.containerPort}/${port.protocol}` !== key) return false;
  return (hostIp === undefined || hostIp === port.hostIp) && (hostPort === undefined || hostPort === port.hostPort);
}

/** `--publish-all` written out, so that single ports can be taken from it. */
function explicitPorts({ hostConfig, effective }: ContainerRecord): HostConfig {
  if (hostConfig.publishAllPorts !== true) return hostConfig;
  const bindings = { ...hostConfig.portBindings };
  for (const port of effective.exposedPorts) {
    const { containerPort, protocol } = parsePort(port);
    bindings[`${containerPort}/${protocol}`] ??= [{}];
  }
  return { ...hostConfig, publishAllPorts: false, portBindings: bindings };
}

/** Without the bindings that are chosen, or that led to published ports which are; undefined when there is none. */
function withoutBindings(
  hostConfig: HostConfig,
  key: string,
  choice: PortChoice,
  gone: readonly PublishedPort[],
): HostConfig | undefined {
  const { [key]: bindings, ...others } = hostConfig.portBindings ?? {};
  if (bindings === undefined) return undefined;
  const kept = bindings.filter((binding) => !isMeant(binding, choice) && !gone.some((port) => leadsTo(binding, port)));
  if (kept.length === bindings.length && bindings.length > 0) return undefined;
  return { ...hostConfig, portBindings: kept.length === 0 ? others : { ...others, [key]: kept } };
}

function isMeant(binding: PortBinding, { hostIp, hostPort }: PortChoice): boolean {
  const { hostIp: ip = "", hostPort: port = "" } = binding;
  return (hostIp === undefined || hostIp === ip) && (hostPort === undefined || String(hostPort) === port);
}

/** Whether a binding as it was asked for may have become this one. */
function leadsTo({ hostIp = "", hostPort = "" }: PortBinding, published: PublishedPort): boolean {
  if (hostIp !== "" && hostIp !== published.hostIp) return false;
  const range = parseHostPorts(hostPort);
  return range === undefined || (range[0] <= published.hostPort && published.hostPort <= range[1]);
}
