import { formatWarnings } from "../custom/format-warnings.ts";
import { validateDefinition, validateDefinitionUpdate } from "../custom/validate-definition.ts";
import { namesErrors } from "../custom/validate-definition-names.ts";
import type { KindHooks } from "../kind/kind.ts";
import { isObject } from "../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../object/kube-object.ts";
import { immutable } from "../validation/validate-metadata.ts";

/** Whether there may be objects of a definition: what has never been served can still be called otherwise. */
const isServed = (crd: KubeObject): boolean =>
  listAt(crd, "status", "conditions").some(
    (one) => textAt(one, "type") === "Established" && textAt(one, "status") === "True",
  );

const customResourceDefinition: KindHooks = {
  tracksGeneration: true,
  applyDefaults(object) {
    const names = valueAt(object, "spec", "names");
    if (!isObject(names)) return;
    const kind = textAt(names, "kind");
    if (textAt(names, "singular") === "") names["singular"] = kind.toLowerCase();
    if (textAt(names, "listKind") === "" && kind !== "") names["listKind"] = `${kind}List`;
  },
  prepareCreate(object) {
    const stored = listAt(object, "spec", "versions").find((one) => valueAt(one, "storage") === true);
    object["status"] = {
      acceptedNames: { kind: "", plural: "" },
      conditions: null,
      storedVersions: stored === undefined ? null : [textAt(stored, "name")],
    };
  },
  // From now on objects may be stored so: nobody may learn of it only later.
  prepareUpdate(object, _old, subresource) {
    const stored = textAt(
      listAt(object, "spec", "versions").find((one) => valueAt(one, "storage") === true) ?? {},
      "name",
    );
    const status = object["status"];
    if (subresource !== "" || stored === "" || !isObject(status)) return;
    const before = listAt(status, "storedVersions");
    if (!before.includes(stored)) object["status"] = { ...status, storedVersions: [...before, stored] };
  },
  validatesAll: true,
  warnings: formatWarnings,
  validateInTurns: validateDefinition,
  validateStatus: (object) => namesErrors(valueAt(object, "status", "acceptedNames"), "status.acceptedNames"),
  validateUpdate: (object, old) => [
    ...(isServed(old) ? ["group", "names.plural", "scope", "names.kind"] : ["group", "names.plural"]).flatMap(
      (field) => {
        const path = ["spec", ...field.split(".")];
        return immutable(`spec.${field}`, valueAt(object, ...path), valueAt(old, ...path));
      },
    ),
    ...validateDefinitionUpdate(object),
  ],
};

export const CLUSTER_HOOKS: Readonly<Record<string, KindHooks>> = {
  "customresourcedefinitions.apiextensions.k8s.io": customResourceDefinition,
};
