import type { KindHooks } from "../../kind/kind.ts";
import { deepEqual, isObject, type Json } from "../../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { dnsSubdomain, qualifiedName } from "../../validation/names.ts";
import { oldLabel, oldLabelWarnings } from "../../validation/node-selectors.ts";
import { checkNonNegative } from "../../validation/resources.ts";
import { checkSelector, hasInvalidValue } from "../../validation/selectors.ts";

/** Bytes of all parameters. */
const LARGEST_PARAMETERS = 256 * 1024;
const MOST_PARAMETERS = 512;

function checkProvisioner(found: Findings, field: string, name: string): void {
  if (name === "") found.required(field);
  else found.name(qualifiedName, field, name.toLowerCase());
}

function checkParameters(found: Findings, parameters: Json | undefined): void {
  const entries = Object.entries(isObject(parameters) ? parameters : {});
  if (entries.length > MOST_PARAMETERS) {
    found.tooLong("parameters", MOST_PARAMETERS);
    return;
  }
  let size = 0;
  for (const [key, value] of entries) {
    if (key === "") found.invalid("parameters", key, "field can not be empty.");
    size += Buffer.byteLength(key) + Buffer.byteLength(textAt(value));
  }
  if (size > LARGEST_PARAMETERS) found.tooLong("parameters", LARGEST_PARAMETERS);
}

/** No two terms may say the same. */
function checkTopologies(found: Findings, topologies: readonly Json[]): void {
  const terms: string[] = [];
  for (const [index, term] of topologies.entries()) {
    const at = `allowedTopologies[${index}].matchLabelExpressions`;
    const known = new Map<string, readonly string[]>();
    for (const [place, expression] of listAt(term, "matchLabelExpressions").entries()) {
      const values = listAt(expression, "values").map((value) => textAt(value));
      if (values.length === 0) found.required(`${at}[${place}].values`);
      for (const [position, value] of values.entries())
        if (values.indexOf(value) !== position) found.duplicate(`${at}[${place}].values[${position}]`, value);
      const key = textAt(expression, "key");
      found.name(qualifiedName, `${at}[${place}].key`, key);
      if (known.has(key)) found.duplicate(`${at}[${place}].key`, key);
      known.set(key, [...new Set(values)].toSorted());
    }
    const text = JSON.stringify([...known].toSorted(([a], [b]) => (a < b ? -1 : 1)));
    if (terms.includes(text)) found.duplicate(at, "");
    terms.push(text);
  }
}

/** `storage/v1.StorageClass` */
export const storageClass: KindHooks = {
  validatesAll: true,
  validate: (object, old) =>
    findingsOf((found) => {
      checkProvisioner(found, "provisioner", textAt(object, "provisioner"));
      checkParameters(found, object["parameters"]);
      if (textAt(object, "reclaimPolicy") !== "")
        found.oneOf("reclaimPolicy", object["reclaimPolicy"], ["Delete", "Retain"]);
      const mode = object["volumeBindingMode"];
      if (typeof mode !== "string") found.required("volumeBindingMode");
      else found.oneOf("volumeBindingMode", mode, ["Immediate", "WaitForFirstConsumer"]);
      checkTopologies(found, listAt(object, "allowedTopologies"));
      if (old === undefined) return;
      for (const field of ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"])
        found.immutable(field, object[field], old[field]);
    }),
  warnings: (object) =>
    listAt(object, "allowedTopologies").flatMap((term, index) =>
      listAt(term, "matchLabelExpressions").flatMap((expression, place) => {
        const instead = oldLabel(textAt(expression, "key"));
        const at = `allowedTopologies[${index}].matchLabelExpressions[${place}].key`;
        return instead === undefined ? [] : [`${at}: ${instead}`];
      }),
    ),
};

/** `storage/v1.VolumeAttributesClass` */
export const volumeAttributesClass: KindHooks = {
  validatesAll: true,
  validate: (object, old) =>
    findingsOf((found) => {
      for (const field of old === undefined ? [] : ["driverName", "parameters"]) {
        if (!deepEqual(object[field] ?? null, old?.[field] ?? null))
          found.forbidden(field, `updates to ${field} are forbidden.`);
      }
      checkProvisioner(found, "driverName", textAt(object, "driverName"));
      const parameters = object["parameters"];
      checkParameters(found, parameters);
      if (!isObject(parameters) || Object.keys(parameters).length === 0)
        found.required("parameters", "must contain at least one key/value pair");
    }),
};

const topologyOf = (object: KubeObject | undefined): Json | undefined => valueAt(object, "nodeTopology");

/** `storage/v1.CSIStorageCapacity` */
export const storageCapacity: KindHooks = {
  validatesAll: true,
  validate: (object, old) =>
    findingsOf((found) => {
      checkSelector(found, "nodeTopology", topologyOf(object), { anyValues: hasInvalidValue(topologyOf(old)) });
      found.name(dnsSubdomain, "storageClassName", textAt(object, "storageClassName"));
      checkNonNegative(found, "capacity", object["capacity"]);
      if (old === undefined) return;
      for (const field of ["nodeTopology", "storageClassName"]) found.immutable(field, object[field], old[field]);
    }),
  warnings: (object) => [
    ...oldLabelWarnings("nodeTopology", topologyOf(object)),
    ...Object.keys((valueAt(object, "nodeTopology", "matchLabels") ?? {}) as object).flatMap((key) => {
      const instead = oldLabel(key);
      return instead === undefined ? [] : [`nodeTopology.matchLabels.${key}: ${instead}`];
    }),
  ],
};
