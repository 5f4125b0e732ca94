import type { Kind } from "../kind/kind.ts";
import { goJson } from "../object/go-json.ts";
import { isObject, type Json, type JsonObject } from "../object/json.ts";
import { apiVersionOf, type KubeObject } from "../object/kube-object.ts";
import { compareFields } from "./compare-fields.ts";
import { FieldSet } from "./field-set.ts";
import { fieldsOf } from "./fields-of.ts";
import { manageable } from "./manageable.ts";
import { typedProblems } from "./typed-problems.ts";

/** Where kubectl's own apply keeps what it applied. */
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";
/** Bytes that an object's annotations may have. */
const MOST = 256 * 1024;

/** The fields that kubectl's own apply has set and that are still as it set them: server-side apply by kubectl may have them. */
export function lastAppliedFields(
  kind: Pick<Kind, "custom" | "group" | "schema" | "version">,
  live: KubeObject,
): FieldSet {
  const last = parse(live.metadata.annotations?.[LAST_APPLIED] ?? "");
  if (last === undefined || last["apiVersion"] !== apiVersionOf(kind)) return new FieldSet();
  if (typedProblems(kind.schema, last).length > 0) return new FieldSet();
  const applied = manageable({ ...last, metadata: isObject(last["metadata"]) ? last["metadata"] : {} } as KubeObject);
  const { set, removed } = compareFields(kind.schema, applied, manageable(live), { builtin: false });
  return fieldsOf(kind.schema, applied).difference(set).difference(removed);
}

function parse(text: string): JsonObject | undefined {
  try {
    const value = JSON.parse(text) as Json;
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Keeps what kubectl applied here where its own apply looks for it, if that was used before. */
export function keepLastApplied({ metadata }: KubeObject, sent: JsonObject): void {
  if (!metadata.annotations?.[LAST_APPLIED]) return;
  const copy = structuredClone(sent);
  const { metadata: own } = copy;
  if (isObject(own) && isObject(own["annotations"])) delete own["annotations"][LAST_APPLIED];
  const annotations = { ...metadata.annotations, [LAST_APPLIED]: `${goJson(copy)}\n` };
  const size = Object.entries(annotations).reduce(
    (sum, [k, v]) => sum + Buffer.byteLength(k) + Buffer.byteLength(v),
    0,
  );
  if (size > MOST) delete (annotations as Record<string, string>)[LAST_APPLIED];
  metadata.annotations = annotations;
}
