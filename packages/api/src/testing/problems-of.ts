import { atOnce, BoxshipError } from "@boxship/base";
import { builtinKinds } from "../kind/builtin-kinds.ts";
import type { Kind } from "../kind/kind.ts";
import { deepCopy, type JsonObject } from "../object/json.ts";
import { apiVersionOf, type KubeObject } from "../object/kube-object.ts";
import { applyDefaults } from "../schema/apply-defaults.ts";
import { statusOf } from "../status/failures.ts";
import { errorsOfObject, errorsOfUpdate, refuseObject } from "../validation/validate-object.ts";

/** @param resource e.g. `pods`, `jobs.batch` or `horizontalpodautoscalers.autoscaling/v2` */
export function kindOf(resource: string): Kind {
  const [name = "", version] = resource.split("/");
  const [plural, group] = name.split(/\.(?<group>.*)/s);
  const found = builtinKinds().find(
    (one) =>
      one.resource === plural &&
      (group === undefined || one.group === group) &&
      (version === undefined || one.version === version),
  );
  if (found === undefined) throw new Error(`no kind has the plural ${resource}`);
  return found;
}

/** An object as a client would send it, with all of its defaults. */
export function objectOf(kind: Kind, fields: JsonObject): KubeObject {
  const metadata = { name: "a", ...(kind.namespaced ? { namespace: "default" } : {}) };
  const sent = deepCopy(fields) as Partial<KubeObject>;
  const object: KubeObject = {
    apiVersion: apiVersionOf(kind),
    kind: kind.kind,
    ...sent,
    metadata: { ...metadata, ...sent.metadata },
  };
  applyDefaults(kind.schema, object);
  kind.hooks.applyDefaults?.(object);
  return object;
}

/**
 * What the server says is wrong with an object, `field: message` a line.
 *
 * @param resource the plural, with its group where another has it too
 * @param before for an update
 */
export function problemsOf(
  resource: string,
  fields: JsonObject,
  before?: JsonObject,
  subresource = "",
): readonly string[] {
  const kind = kindOf(resource);
  const object = objectOf(kind, fields);
  const old = before === undefined ? undefined : objectOf(kind, before);
  try {
    const errors = [...atOnce(errorsOfObject(kind, object, subresource, old))];
    if (old !== undefined) errors.push(...errorsOfUpdate(kind, object, old, subresource));
    refuseObject(kind, object, errors);
    return [];
  } catch (error) {
    if (!(error instanceof BoxshipError)) throw error;
    const causes = statusOf(error)?.details?.causes;
    if (causes === undefined) throw error;
    return causes.map(({ field, message }) => `${field}: ${message}`);
  }
}

export function warningsOf(resource: string, fields: JsonObject, before?: JsonObject): readonly string[] {
  const kind = kindOf(resource);
  const old = before === undefined ? undefined : objectOf(kind, before);
  return kind.hooks.warnings?.(objectOf(kind, fields), old) ?? [];
}
