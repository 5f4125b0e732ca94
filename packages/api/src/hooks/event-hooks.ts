import type { KindHooks } from "../kind/kind.ts";
import { type KubeObject, textAt } from "../object/kube-object.ts";
import { type FieldError, invalid, required } from "../status/field-error.ts";
import { checkName, qualifiedName } from "../validation/names.ts";

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
function validateEvent(event: KubeObject, names: Names): FieldError[] {
  const namespace = event.metadata.namespace ?? "";
  const about = textAt(event, names.involved, "namespace");
  const elsewhere = invalid("involvedObject.namespace", about, "does not match event.namespace");
  if (textAt(event, "eventTime") === "") {
    const agrees = about === "" ? ["", "default"].includes(namespace) : about === namespace;
    return agrees ? [] : [elsewhere];
  }
  const errors: FieldError[] = [];
  if (about === "" && namespace !== "default" && namespace !== "kube-system") errors.push(elsewhere);
  const controller = textAt(event, names.controller);
  const at = names === CORE ? "reportingComponent" : "reportingController";
  if (controller === "") errors.push(required(at));
  else errors.push(...checkName(qualifiedName, at, controller));
  for (const field of ["reportingInstance", "action", "reason"] as const) {
    const text = textAt(event, field);
    if (text === "") errors.push(required(field));
    else if (text.length > LONGEST_WORD) errors.push(invalid(field, "", `can have at most ${LONGEST_WORD} characters`));
  }
  if (textAt(event, names.note).length > LONGEST_NOTE)
    errors.push(invalid("message", "", `can have at most ${LONGEST_NOTE} characters`));
  return errors;
}

/** `v1` */
export const coreEvent: KindHooks = { validate: (event) => validateEvent(event, CORE) };

const UNSET: readonly (readonly [field: string, shown: string])[] = [
  ["deprecatedFirstTimestamp", "firstTimestamp"],
  ["deprecatedLastTimestamp", "lastTimestamp"],
  ["deprecatedCount", "count"],
];

/** `events.k8s.io/v1`, which keeps the fields of old events for reading only. */
export const event: KindHooks = {
  validate(object) {
    const errors = validateEvent(object, EVENTS);
    if (textAt(object, "eventTime") === "") errors.push(required("eventTime"));
    const type = textAt(object, "type");
    if (type !== "Normal" && type !== "Warning") errors.push(invalid("type", "", `has invalid value: ${type}`));
    for (const [field, shown] of UNSET) {
      if (!["", "0"].includes(textAt(object, field))) errors.push(invalid(shown, "", "needs to be unset"));
    }
    if (textAt(object, "deprecatedSource", "component") !== "" || textAt(object, "deprecatedSource", "host") !== "")
      errors.push(invalid("source", "", "needs to be unset"));
    return errors;
  },
};
