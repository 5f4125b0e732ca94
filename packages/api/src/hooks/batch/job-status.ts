import { deepEqual, type Json } from "../../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../../object/kube-object.ts";
import type { Findings } from "../../validation/findings.ts";
import { commonIndex, countIndexes } from "./indexes.ts";
import { isIndexed } from "./job-spec.ts";

const stateOf = ({ status }: KubeObject, type: string): string =>
  textAt(
    listAt(status, "conditions").find((one) => textAt(one, "type") === type && textAt(one, "status") !== ""),
    "status",
  );

export const isTrue = (job: KubeObject, type: string): boolean =>
  listAt(job, "status", "conditions").some((one) => textAt(one, "type") === type && textAt(one, "status") === "True");

/** A job's status, before and after, and what of it has changed: what is wrong and has not may stay so. */
class Change {
  readonly now: KubeObject;
  readonly before: KubeObject;

  constructor(now: KubeObject, before: KubeObject) {
    this.now = now;
    this.before = before;
  }

  get(field: string): Json | undefined {
    return valueAt(this.now, "status", field) ?? undefined;
  }

  old(field: string): Json | undefined {
    return valueAt(this.before, "status", field) ?? undefined;
  }

  number(field: string): number {
    return Number(this.get(field) ?? 0);
  }

  is(type: string): boolean {
    return isTrue(this.now, type);
  }

  get isFinished(): boolean {
    return this.is("Complete") || this.is("Failed");
  }

  /** Whether any of these fields, or of these conditions, is another one. */
  has(fields: readonly string[], types: readonly string[] = []): boolean {
    return (
      fields.some((field) => !deepEqual(this.get(field) ?? null, this.old(field) ?? null)) ||
      types.some((type) => this.is(type) !== isTrue(this.before, type))
    );
  }

  get finishes(): boolean {
    return this.isFinished !== (isTrue(this.before, "Complete") || isTrue(this.before, "Failed"));
  }
}

const CONDITIONS = "status.conditions";

function checkUncounted(found: Findings, change: Change): void {
  const seen = new Set<string>();
  for (const list of ["succeeded", "failed"]) {
    for (const [index, item] of listAt(change.get("uncountedTerminatedPods"), list).entries()) {
      const field = `status.uncountedTerminatedPods.${list}[${index}]`;
      const uid = textAt(item);
      if (uid === "") found.invalid(field, uid, "must not be empty");
      else if (seen.has(uid)) found.duplicate(field, uid);
      seen.add(uid);
    }
  }
}

function checkTimes(found: Findings, change: Change): void {
  const [started, completed] = [change.get("startTime"), change.get("completionTime")];
  const field = "status.completionTime";
  const changes = change.has(["completionTime"], ["Complete"]);
  if (changes && completed !== undefined && !change.is("Complete"))
    found.invalid(field, completed, "cannot set completionTime when there is no Complete=True condition");
  if (changes && completed === undefined && change.is("Complete"))
    found.required(field, "completionTime is required for Complete jobs");
  const isEarlier = Date.parse(textAt(completed)) < Date.parse(textAt(started));
  if (change.has(["startTime", "completionTime"]) && isEarlier)
    found.invalid(field, completed, "must be equal to or after `startTime`");
}

function checkOutcome(found: Findings, change: Change): void {
  const wrong = (why: string): void => found.invalidUnshown(CONDITIONS, why);
  if (change.has(["failedIndexes"], ["Failed"]) && change.is("Failed") && !change.is("FailureTarget"))
    wrong("cannot set Failed=True condition without the FailureTarget=true condition");
  if (change.has([], ["Complete", "SuccessCriteriaMet"]) && change.is("Complete") && !change.is("SuccessCriteriaMet"))
    wrong("cannot set Complete=True condition without the SuccessCriteriaMet=true condition");
}

function checkFinished(found: Findings, change: Change): void {
  const { isFinished, finishes, now } = change;
  if (isFinished && (finishes || change.has(["active"])) && change.number("active") > 0)
    found.invalid("status.active", change.number("active"), "active>0 is invalid for finished job");
  const isNothing = valueAt(now, "spec", "suspend") === true && valueAt(now, "spec", "completions") === 0;
  const mayLackStart = !(finishes || change.has(["startTime"])) || isNothing;
  if (isFinished && !mayLackStart && change.get("startTime") === undefined)
    found.required("status.startTime", "startTime is required for finished job");
  const uncounted = change.get("uncountedTerminatedPods");
  const isCounted = listAt(uncounted, "failed").length + listAt(uncounted, "succeeded").length === 0;
  if (isFinished && (finishes || change.has(["uncountedTerminatedPods"])) && !isCounted)
    found.invalid("status.uncountedTerminatedPods", uncounted, "must be empty for finished job");
}

function checkIndexes(found: Findings, change: Change): void {
  const { spec } = change.now;
  const completions = valueAt(spec, "completions");
  const limit = valueAt(spec, "backoffLimitPerIndex");
  const [completed, failed] = [textAt(change.get("completedIndexes")), change.get("failedIndexes")];
  const [anyCompleted, anyFailed] = [change.has(["completedIndexes"]), change.has(["failedIndexes"])];
  const checkText = (field: string, text: string): void => {
    const counted = countIndexes(text, Number(completions));
    if (typeof counted === "string") found.invalid(`status.${field}`, text, `error parsing ${field}: ${counted}`);
  };
  const isCounted = typeof completions === "number";
  if (anyCompleted && isCounted) checkText("completedIndexes", completed);
  if (anyFailed && isCounted && typeof limit === "number" && typeof failed === "string")
    checkText("failedIndexes", failed);
  if (anyCompleted && completed !== "" && !isIndexed(spec)) {
    const why = "cannot set non-empty completedIndexes when non-indexed completion mode";
    found.invalid("status.completedIndexes", completed, why);
  }
  if (typeof failed !== "string") return;
  if (anyFailed && typeof limit !== "number") {
    const why = "cannot set non-null failedIndexes when backoffLimitPerIndex is null";
    found.invalid("status.failedIndexes", failed, why);
  }
  if (!(anyCompleted || anyFailed) || !isCounted || completed === "" || failed === "") return;
  const common = commonIndex(completed, failed, completions);
  if (common === undefined) return;
  const why = `failedIndexes and completedIndexes overlap at index: ${common}`;
  found.invalid("status.failedIndexes", failed, why);
}

function checkTogether(found: Findings, change: Change): void {
  const wrong = (why: string): void => found.invalidUnshown(CONDITIONS, why);
  if (change.isFinished && (change.finishes || change.has(["terminating"])) && change.number("terminating") > 0)
    found.invalid("status.terminating", change.number("terminating"), "terminating>0 is invalid for finished job");
  if (change.has(["ready", "active"]) && change.number("ready") > change.number("active"))
    found.invalid("status.ready", change.number("ready"), "cannot set more ready pods than active");
  const met = change.is("SuccessCriteriaMet");
  if (met && change.is("Failed")) wrong("cannot set SuccessCriteriaMet=True and Failed=true conditions");
  if (met && change.is("FailureTarget")) wrong("cannot set SuccessCriteriaMet=True and FailureTarget=true conditions");
  const hasPolicy = (valueAt(change.now, "spec", "successPolicy") ?? null) !== null;
  if (hasPolicy && !met && change.is("Complete"))
    wrong("cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True");
}

/** What has happened stays so. */
function checkKept(found: Findings, change: Change): void {
  const { now, before } = change;
  const wrong = (why: string): void => found.invalidUnshown(CONDITIONS, why);
  for (const type of ["Failed", "Complete", "FailureTarget"])
    if (isTrue(before, type) && !change.is(type)) wrong(`cannot disable the terminal ${type}=True condition`);
  const canShrink =
    isIndexed(now["spec"]) && valueAt(now, "spec", "completions") === valueAt(now, "spec", "parallelism");
  for (const field of canShrink ? ["failed"] : ["failed", "succeeded"]) {
    if (change.number(field) < Number(change.old(field) ?? 0))
      found.invalid(`status.${field}`, change.number(field), `cannot decrease the ${field} counter`);
  }
  const [completed, started] = [change.get("completionTime"), change.get("startTime")];
  const wasCompleted = change.old("completionTime") !== undefined;
  if (completed !== undefined && wasCompleted && change.has(["completionTime"]))
    found.invalid("status.completionTime", completed, "field is immutable");
  const resumes = isTrue(before, "Suspended") && stateOf(now, "Suspended") === "False";
  const wasStarted = change.old("startTime") !== undefined;
  if (wasStarted && change.has(["startTime"]) && !resumes && valueAt(now, "spec", "suspend") !== true)
    found.invalid("status.startTime", started, "field is immutable for unsuspended job once set");
  const [had, has] = [isTrue(before, "SuccessCriteriaMet"), change.is("SuccessCriteriaMet")];
  if (had && !has) wrong("cannot disable the SuccessCriteriaMet=True condition");
  if (isTrue(before, "Complete") && !had && has)
    wrong("cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions");
}

/** `batch/v1.JobStatus` */
export function checkJobStatus(found: Findings, job: KubeObject, old: KubeObject): void {
  const change = new Change(job, old);
  for (const field of ["active", "succeeded", "failed", "ready", "terminating"])
    found.atLeastZero(`status.${field}`, change.get(field));
  checkUncounted(found, change);
  for (const other of ["Failed", "FailureTarget"]) {
    const why = `cannot set Complete=True and ${other}=true conditions`;
    if (change.has([], ["Complete", other]) && change.is("Complete") && change.is(other))
      found.invalidUnshown(CONDITIONS, why);
  }
  checkTimes(found, change);
  checkOutcome(found, change);
  checkFinished(found, change);
  checkIndexes(found, change);
  checkTogether(found, change);
  checkKept(found, change);
}
