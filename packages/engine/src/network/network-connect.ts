import { Conflict, FailedPrecondition, InvalidArgument, PermissionDenied } from "@boxship/base";
import type { EndpointRequest } from "../container/config.ts";
import { networkModeOf } from "../container/network-mode.ts";
import type { ContainerRecord, EndpointState } from "../container/record.ts";
import { connectEndpoint } from "../container/start-network.ts";
import { isAlive } from "../container/state.ts";
import type { EngineContext } from "../context.ts";
import { changeNetworks } from "./live-files.ts";
import { publishNetworkEvent } from "./network-events.ts";

/** Joins a container to a network: at once if it runs, else at its next start. */
export async function connectNetwork(
  context: EngineContext,
  ref: string,
  containerRef: string,
  request: EndpointRequest,
): Promise<void> {
  const network = context.network.getNetwork(ref);
  const { id } = context.containers.resolve(containerRef);
  await context.locks.run(id, async () => {
    const record = context.containers.resolve(id);
    refuseConnect(record, network.name);
    if (record.endpoints.some((endpoint) => endpoint.networkId === network.id)) {
      throw new PermissionDenied(`endpoint with name ${record.name} already exists in network ${network.name}`, {
        subject: { kind: "network", name: network.name },
      });
    }
    const planned: EndpointState = { networkId: network.id, networkName: network.name, request };
    const endpoint = isAlive(record.state)
      ? await changeNetworks(context, id, () => connectEndpoint(context, record, planned))
      : planned;
    await context.containers.save({ ...record, endpoints: [...record.endpoints, endpoint] });
    publishNetworkEvent(context, "connect", network.id, id);
  });
}

function refuseConnect(record: ContainerRecord, network: string): void {
  const subject = { kind: "container", name: record.name };
  const mode = networkModeOf(record.hostConfig);
  if (mode.kind === "container" || mode.kind === "pod") {
    throw new InvalidArgument(
      "container sharing network namespace with another container or host cannot be connected to any other network",
      { subject },
    );
  }
  if (mode.kind === "host") {
    throw new InvalidArgument("cannot connect container to host network: it shares the host's network namespace", {
      subject,
    });
  }
  if (network === "host") throw new InvalidArgument("container cannot be connected to host network", { subject });
  if (network === "none" || record.endpoints.some((endpoint) => endpoint.networkName === "none")) {
    throw new FailedPrecondition(
      "container cannot be connected to multiple networks with one of the networks in private (none) mode",
      { subject },
    );
  }
  if (record.state.status === "removing" || record.state.status === "dead") {
    throw new Conflict(`container ${record.name} is marked for removal and cannot be connected`, { subject });
  }
}

/** Takes a container off a network. With `force` also one that is gone. */
export async function disconnectNetwork(
  context: EngineContext,
  ref: string,
  containerRef: string,
  force = false,
): Promise<void> {
  const network = context.network.getNetwork(ref);
  const found = context.containers.find(containerRef);
  if (found === undefined && force) return;
  const { id } = context.containers.resolve(containerRef);
  await context.locks.run(id, async () => {
    const record = context.containers.resolve(id);
    const endpoint = record.endpoints.find((candidate) => candidate.networkId === network.id);
    if (endpoint === undefined) {
      // Clients take "not found" for the network's.
      throw new FailedPrecondition(`container ${id} is not connected to network ${network.name}`, {
        subject: { kind: "network", name: network.name },
      });
    }
    if (network.name === "host") {
      throw new PermissionDenied("container cannot be disconnected from host network or connected to host network");
    }
    if (endpoint.active !== undefined) {
      await changeNetworks(context, id, () => context.network.disconnect(id, network.id));
    }
    const endpoints = record.endpoints.filter((candidate) => candidate !== endpoint);
    await context.containers.save({ ...record, endpoints });
    publishNetworkEvent(context, "disconnect", network.id, id);
  });
}
