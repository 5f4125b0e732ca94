import type { EngineContext } from "../context.ts";
import { publishNetworkEvent } from "../network/network-events.ts";
import type { ContainerRecord } from "./record.ts";

/** Tells which networks and volumes a container that starts has taken. */
export function publishTaken(context: EngineContext, record: ContainerRecord): void {
  for (const { networkId } of record.endpoints) publishNetworkEvent(context, "connect", networkId, record.id);
  for (const { type, name = "", destination, driver = "local", propagation, readWrite } of record.mounts) {
    if (type !== "volume") continue;
    const how = { destination, driver, propagation, "read/write": String(readWrite) };
    context.events.publish("volume", "mount", name, { ...how, container: record.id });
  }
}

/** Tells which networks and volumes a container that has ended lets go of. */
export function publishLeft(context: EngineContext, record: ContainerRecord): void {
  for (const { networkId } of record.endpoints) publishNetworkEvent(context, "disconnect", networkId, record.id);
  for (const { type, name = "", driver = "local" } of record.mounts) {
    if (type === "volume") context.events.publish("volume", "unmount", name, { driver, container: record.id });
  }
}
