import type { EngineEvent } from "@boxship/engine";

/** Types whose events still carry the fields from before 1.22. */
const LEGACY = new Set<EngineEvent["type"]>(["container", "image"]);

/**
 * One line of `GET /events`. It is put together as text because `timeNano` does not fit a JavaScript number.
 *
 * @returns JSON without a line end
 */
export function encodeEvent(event: EngineEvent): string {
  const { id, attributes } = event.actor;
  const legacy = LEGACY.has(event.type)
    ? {
        status: event.action,
        ...(id === "" ? {} : { id }),
        ...(event.type === "container" && attributes["image"] !== undefined ? { from: attributes["image"] } : {}),
      }
    : {};
  const head = JSON.stringify({
    ...legacy,
    Type: event.type,
    Action: event.action,
    Actor: { ID: id, Attributes: attributes },
    scope: "local",
  });
  return `${head.slice(0, -1)},"time":${event.time / 1_000_000_000n},"timeNano":${event.time}}`;
}
