import type { KindHooks } from "../../kind/kind.ts";
import { deepCopy, deepEqual, isObject, type Json } from "../../object/json.ts";
import { listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { applyDefaults } from "../../schema/apply-defaults.ts";
import { definition } from "../../schema/definitions.ts";
import { findingsOf } from "../../validation/findings.ts";
import { isExtended } from "../../validation/resources.ts";
import { validateAnnotations, validateLabels } from "../../validation/validate-metadata.ts";
import { checkClaimSpec, defaultRequests, MOST_CONFIGURATIONS } from "./claim-spec.ts";
import { checkClaimStatus } from "./claim-status.ts";
import { checkConfiguration, checkItems, checkSelectors } from "./devices.ts";

/** A claim's specification that was kept, with the defaults that there are now. */
function defaulted(spec: Json | undefined): Json {
  const copy = deepCopy(spec ?? {});
  applyDefaults(definition("resource.v1.ResourceClaimSpec"), copy);
  defaultRequests(copy);
  return copy;
}

/** A template's with its claim's so, too. */
function defaultedTemplate(spec: Json | undefined): Json {
  const copy = deepCopy(spec ?? {});
  applyDefaults(definition("resource.v1.ResourceClaimTemplateSpec"), copy);
  defaultRequests(valueAt(copy, "spec"));
  return copy;
}

/** `resource/v1.ResourceClaim` */
export const resourceClaim: KindHooks = {
  validatesAll: true,
  applyDefaults: ({ spec }) => defaultRequests(spec),
  // What was given back has no state any more.
  prepareUpdate(object, old, subresource) {
    const { status } = object;
    if (subresource !== "status" || !isObject(status)) return;
    if (isObject(valueAt(old["status"], "allocation")) && !isObject(status["allocation"])) delete status["devices"];
  },
  // A change is refused as a whole, whatever is in it.
  validate: ({ spec }, old) => (old === undefined ? findingsOf((found) => checkClaimSpec(found, "spec", spec)) : []),
  validateUpdate: ({ spec }, old) => findingsOf((found) => found.immutable("spec", spec, defaulted(old["spec"]))),
  validateStatus: (object, old) => findingsOf((found) => checkClaimStatus(found, object, old)),
};

/** `resource/v1.ResourceClaimTemplate` */
export const resourceClaimTemplate: KindHooks = {
  validatesAll: true,
  applyDefaults: ({ spec }) => defaultRequests(valueAt(spec, "spec")),
  validate: ({ spec }, old) =>
    findingsOf((found) => {
      if (old !== undefined) return;
      const at = "spec.metadata";
      found.add(...validateLabels(valueAt(spec, "metadata", "labels"), `${at}.labels`));
      found.add(...validateAnnotations(valueAt(spec, "metadata", "annotations"), `${at}.annotations`));
      checkClaimSpec(found, "spec.spec", valueAt(spec, "spec"));
    }),
  validateUpdate: ({ spec }, old) =>
    findingsOf((found) => found.immutable("spec", spec, defaultedTemplate(old["spec"]))),
};

/** `resource/v1.DeviceClass` */
export const deviceClass: KindHooks = {
  tracksGeneration: true,
  validatesAll: true,
  validate: ({ spec }, old) =>
    findingsOf((found) => {
      const isNew = (field: string): boolean => !deepEqual(valueAt(spec, field), valueAt(old?.["spec"], field));
      if (old === undefined || isNew("selectors")) checkSelectors(found, "spec.selectors", listAt(spec, "selectors"));
      checkItems(found, "spec.config", listAt(spec, "config"), MOST_CONFIGURATIONS, (one, at) =>
        checkConfiguration(found, at, one),
      );
      const name = valueAt(spec, "extendedResourceName");
      if (typeof name === "string" && !isExtended(name))
        found.invalid("spec.extendedResourceName", textAt(name), "must be a valid extended resource name");
    }),
};
