import type { KindHooks } from "../kind/kind.ts";
import { deepEqual, isObject, type Json } from "../object/json.ts";
import { type KubeObject, textAt, valueAt } from "../object/kube-object.ts";
import { type Findings, findingsOf } from "../validation/findings.ts";
import { dnsSubdomain, qualifiedName } from "../validation/names.ts";

const LONGEST_WORD = 128;
const LONGEST_NOTE = 1024;

/** What `v1` calls a field, whichever version the event came in: messages say it so. */
interface Names {
  readonly involved: string;
  readonly controller: string;
  readonly note: string;
}

const CORE: Names = { involved: "involvedObject", controller: "reportingComponent", note: "message" };
const EVENTS: Names = { involved: "regarding", controller: "reportingController", note: "note" };

/** Of both versions: events of the new sort say who reports what was done. */
function checkEvent(found: Findings, event: KubeObject, names: Names): void {
  const namespace = event.metadata.namespace ?? "";
  const about = textAt(event, names.involved, "namespace");
  const elsewhere = (): void => found.invalid("involvedObject.namespace", about, "does not match event.namespace");
  if (textAt(event, "eventTime") === "") {
    if (about === "" ? !["", "default"].includes(namespace) : about !== namespace) elsewhere();
  } else {
    if (about === "" && namespace !== "default" && namespace !== "kube-system") elsewhere();
    const controller = textAt(event, names.controller);
    if (controller === "") found.required(names.controller);
    found.name(qualifiedName, names.controller, controller);
    for (const field of ["reportingInstance", "action", "reason"]) {
      const text = textAt(event, field);
      if (text === "") found.required(field);
      if (Buffer.byteLength(text) > LONGEST_WORD)
        found.invalid(field, "", `can have at most ${LONGEST_WORD} characters`);
    }
    if (Buffer.byteLength(textAt(event, names.note)) > LONGEST_NOTE)
      found.invalid("message", "", `can have at most ${LONGEST_NOTE} characters`);
  }
  found.name(dnsSubdomain, "namespace", namespace);
}

/** `core/v1.Event` */
export const coreEvent: KindHooks = {
  validatesAll: true,
  validate: (event) => findingsOf((found) => checkEvent(found, event, CORE)),
};

const UNSET: readonly (readonly [field: string, shown: string])[] = [
  ["deprecatedFirstTimestamp", "firstTimestamp"],
  ["deprecatedLastTimestamp", "lastTimestamp"],
  ["deprecatedCount", "count"],
];

function checkSeries(found: Findings, event: KubeObject): void {
  const series = event["series"];
  if (!isObject(series)) return;
  if (Number(series["count"] ?? 0) < 2) found.invalid("series.count", "", "should be at least 2");
  if (textAt(series, "lastObservedTime") === "") found.required("series.lastObservedTime");
}

function checkNewEvent(found: Findings, event: KubeObject): void {
  checkSeries(found, event);
  if (textAt(event, "eventTime") === "") found.required("eventTime");
  const type = textAt(event, "type");
  if (type !== "Normal" && type !== "Warning") found.invalid("type", "", `has invalid value: ${type}`);
  for (const [field, shown] of UNSET)
    if (!["", "0"].includes(textAt(event, field))) found.invalid(shown, "", "needs to be unset");
  if (["component", "host"].some((field) => textAt(event, "deprecatedSource", field) !== ""))
    found.invalid("source", "", "needs to be unset");
}

/** What an event says stays, but for how often it was seen. */
const FIXED: readonly (readonly [field: string, shown: string])[] = [
  ["regarding", "involvedObject"],
  ["reason", "reason"],
  ["note", "message"],
  ["deprecatedSource", "source"],
  ["deprecatedFirstTimestamp", "firstTimestamp"],
  ["deprecatedLastTimestamp", "lastTimestamp"],
  ["deprecatedCount", "count"],
  ["type", "type"],
  ["eventTime", "eventTime"],
  ["action", "action"],
  ["related", "related"],
  ["reportingController", "reportingController"],
  ["reportingInstance", "reportingInstance"],
];

/** Times to the microsecond; nothing is the same as an empty value. */
function kept(event: KubeObject, field: string): Json {
  const value = valueAt(event, field);
  if (field === "eventTime") return textAt(value).replace(/(\.\d{6})\d+/, "$1");
  return value === "" || value === 0 || (isObject(value) && Object.keys(value).length === 0) ? null : (value ?? null);
}

/** `events.k8s.io/v1.Event`, which keeps the fields of old events for reading only. */
export const event: KindHooks = {
  validatesAll: true,
  validate: (object, old) =>
    findingsOf((found) => {
      checkEvent(found, object, EVENTS);
      if (old === undefined) checkNewEvent(found, object);
    }),
  validateUpdate: (object, old) =>
    findingsOf((found) => {
      if (!deepEqual(object["series"] ?? null, old["series"] ?? null)) checkSeries(found, object);
      for (const [field, shown] of FIXED)
        if (!deepEqual(kept(object, field), kept(old, field)))
          found.invalid(shown, valueAt(object, field) ?? null, "field is immutable");
    }),
};
