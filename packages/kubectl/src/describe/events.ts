import { age, type KubeObject, textAt, valueAt } from "@boxship/api";
import { listObjects } from "../request/objects.ts";
import type { Session } from "../session.ts";
import type { Lines } from "./lines.ts";

/** Events about an object, the oldest first. */
export async function eventsOf(session: Session, object: KubeObject): Promise<readonly KubeObject[]> {
  const { name = "", namespace = "", uid = "" } = object.metadata;
  const events = (await session.mapper()).known("", "events");
  const fields = [
    `involvedObject.name=${name}`,
    ...(namespace === "" ? [] : [`involvedObject.namespace=${namespace}`]),
    `involvedObject.kind=${object.kind}`,
    `involvedObject.uid=${uid}`,
  ];
  const found = await listObjects(session, events, namespace || "default", { fieldSelector: fields.join(",") }).catch(
    () => [],
  );
  return [...found].sort((a, b) => (lastSeen(a) < lastSeen(b) ? -1 : 1));
}

export const lastSeen = (event: KubeObject): string =>
  textAt(event, "series", "lastObservedTime") ||
  textAt(event, "lastTimestamp") ||
  textAt(event, "eventTime") ||
  textAt(event, "firstTimestamp");

const firstSeen = (event: KubeObject): string => textAt(event, "firstTimestamp") || textAt(event, "eventTime");

/** `5m (x3 over 10m)` */
export function intervalOf(event: KubeObject): string {
  const now = Date.now();
  const count = Number(valueAt(event, "series", "count") ?? valueAt(event, "count") ?? 1);
  if (count > 1) return `${age(lastSeen(event), now)} (x${count} over ${age(firstSeen(event), now)})`;
  return age(firstSeen(event), now);
}

export async function writeEvents(session: Session, object: KubeObject, lines: Lines): Promise<void> {
  if (!session.showEvents) return;
  writeEventList(lines, await eventsOf(session, object));
}

export function writeEventList(lines: Lines, events: readonly KubeObject[]): void {
  if (events.length === 0) return lines.add(0, "Events:\t<none>");
  lines.flush();
  lines.add(0, "Events:");
  lines.add(1, "Type\tReason\tAge\tFrom\tMessage");
  lines.add(1, "----\t------\t----\t----\t-------");
  for (const event of events) {
    const from = textAt(event, "source", "component") || textAt(event, "reportingComponent");
    const field = textAt(event, "involvedObject", "fieldPath");
    const message = textAt(event, "message").trim();
    lines.add(
      1,
      [
        textAt(event, "type"),
        textAt(event, "reason"),
        intervalOf(event),
        from,
        field === "" ? message : `${field}: ${message}`,
      ].join("\t"),
    );
  }
}
