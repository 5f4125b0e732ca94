import { deepCopy, isObject, type JsonObject, type KubeObject, textAt } from "@boxship/api";
import { goJson } from "@boxship/api/go-json";

/** Where `apply` keeps what it was given. */
export const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/** The object with itself in an annotation. */
export function withLastApplied(object: KubeObject): KubeObject {
  const copy = deepCopy(object);
  const annotations: JsonObject = isObject(copy.metadata.annotations) ? { ...copy.metadata.annotations } : {};
  delete annotations[LAST_APPLIED];
  const text = `${goJson({ ...copy, metadata: { ...copy.metadata, annotations } })}\n`;
  return {
    ...copy,
    metadata: { ...copy.metadata, annotations: { ...(annotations as Record<string, string>), [LAST_APPLIED]: text } },
  };
}

/** What was applied before, as it was noted; "" where nothing was. */
export const lastAppliedText = (object: KubeObject): string => textAt(object, "metadata", "annotations", LAST_APPLIED);

/** The note of an object. */
export const noteOf = (object: JsonObject): string => `${goJson(object)}\n`;

/** A merge patch that notes a text. */
export const annotationPatch = (text: string): JsonObject => ({ metadata: { annotations: { [LAST_APPLIED]: text } } });

/** What was applied before; undefined where nothing was. */
export function lastApplied(object: KubeObject): JsonObject | undefined {
  const text = lastAppliedText(object);
  if (text === "") return undefined;
  const value: unknown = JSON.parse(text);
  return isObject(value) ? value : undefined;
}
