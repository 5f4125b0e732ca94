import { resolveResources } from "@boxship/runtime";
import { type EngineContext, eventAttributes } from "../context.ts";
import { checkResources } from "./check-host-config.ts";
import type { Resources, RestartPolicy } from "./config.ts";
import { withoutDiscarded } from "./discarded-limits.ts";
import type { ContainerRecord } from "./record.ts";
import { resourceRequest } from "./resource-request.ts";
import { checkRestartPolicy } from "./restart-policy.ts";
import { isAlive } from "./state.ts";

export interface UpdateRequest {
  readonly resources?: Resources;
  readonly restartPolicy?: RestartPolicy;
}

/** Changes limits (at once, if it runs) and the restart policy. Limits that are not named stay. */
export async function updateContainer(
  context: EngineContext,
  ref: string,
  change: UpdateRequest,
): Promise<{ readonly warnings: readonly string[] }> {
  const { id } = context.containers.resolve(ref);
  return context.locks.run(id, async () => {
    const record = context.containers.resolve(id);
    const wanted = { ...record.hostConfig.resources, ...change.resources };
    const warnings = checkResources(context, wanted);
    const resources = withoutDiscarded(wanted, context.runtime.host);
    const { restartPolicy } = change;
    if (restartPolicy !== undefined) checkRestartPolicy(restartPolicy, record.hostConfig.autoRemove === true);
    const hostConfig = { ...record.hostConfig, resources, ...(restartPolicy === undefined ? {} : { restartPolicy }) };
    const updated: ContainerRecord = { ...record, hostConfig };
    if (isAlive(record.state) && change.resources !== undefined) {
      const request = resourceRequest(change.resources);
      await context.runtime.update(id, resolveResources(request, context.runtime.host).resources);
    }
    await context.containers.save(updated);
    context.events.publish("container", "update", id, eventAttributes(updated));
    return { warnings };
  });
}
