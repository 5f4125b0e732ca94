import type { EngineContext } from "../context.ts";
import type { CreateNetworkRequest } from "../engine-api.ts";

/** Makes a network; durable, and its bridge is there, when it resolves. */
export async function createNetwork(
  context: EngineContext,
  request: CreateNetworkRequest,
): Promise<{ readonly id: string; readonly warning: string }> {
  const record = await context.network.createNetwork(request);
  context.events.publish("network", "create", record.id, { name: record.name, type: record.driver });
  return { id: record.id, warning: "" };
}
