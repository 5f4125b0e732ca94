import type { EngineApi, EngineEvent, EventsApi, SystemApi } from "@boxship/engine";
import { only } from "./denied.ts";
import { Guard } from "./guard.ts";
import { confinedContainers, guardedExecs, readOnlyContainers } from "./guarded-containers.ts";
import { guardedImages, guardedNetworks, guardedVolumes } from "./guarded-resources.ts";
import type { Role } from "./role.ts";

/**
 * The engine as a role has it. What the role does not see does not exist, and every method that is not allowed by name
 * is refused, those included that the engine does not have yet.
 */
export function guardEngine(engine: EngineApi, role: Role): EngineApi {
  const guard = new Guard(engine, role);
  return only<EngineApi>(role, "the engine's", {
    containers: role.kind === "read-only" ? readOnlyContainers(guard) : confinedContainers(guard),
    execs: guardedExecs(guard),
    images: guardedImages(guard),
    networks: guardedNetworks(guard),
    volumes: guardedVolumes(guard),
    events: guardedEvents(guard),
    system: guardedSystem(guard),
  });
}

/** With a label only events that carry it: those of containers. An image's labels are among them, and are not asked. */
function guardedEvents(guard: Guard): EventsApi {
  const { events } = guard.engine;
  const passes = ({ type, actor }: EngineEvent) =>
    guard.role.label === undefined || (type === "container" && guard.sees(actor.attributes));
  return only<EventsApi>(guard.role, "events", {
    subscribe: (listener) =>
      events.subscribe((event) => {
        if (passes(event)) listener(event);
      }),
    recent: () => events.recent().filter(passes),
  });
}

function guardedSystem(guard: Guard): SystemApi {
  const { system } = guard.engine;
  return only<SystemApi>(guard.role, "system", {
    info: () => system.info(),
    layersSize: () => system.layersSize(),
    ...(guard.role.kind === "read-only" ? {} : { login: system.login.bind(system) }),
  });
}
