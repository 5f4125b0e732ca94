import type { KindHooks } from "../../kind/kind.ts";
import { deepEqual, isObject, type Json } from "../../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { Findings, findingsOf } from "../../validation/findings.ts";
import { dnsSubdomain, pathSegment } from "../../validation/names.ts";
import { checkSelector, hasInvalidValue } from "../../validation/selectors.ts";

const GROUP = "rbac.authorization.k8s.io";

function checkRule(found: Findings, at: string, rule: Json, namespaced: boolean): void {
  const list = (field: string): Json[] => [...listAt(rule, field)];
  if (list("verbs").length === 0) found.required(`${at}.verbs`, "verbs must contain at least one value");
  const urls = list("nonResourceURLs");
  if (urls.length > 0) {
    const field = `${at}.nonResourceURLs`;
    if (namespaced) found.invalid(field, urls, "namespaced rules cannot apply to non-resource URLs");
    if (["apiGroups", "resources", "resourceNames"].some((one) => list(one).length > 0))
      found.invalid(field, urls, "rules cannot apply to both regular resources and non-resource URLs");
    return;
  }
  if (list("apiGroups").length === 0)
    found.required(`${at}.apiGroups`, "resource rules must supply at least one api group");
  if (list("resources").length === 0)
    found.required(`${at}.resources`, "resource rules must supply at least one resource");
}

const roleOf = (namespaced: boolean): KindHooks => ({
  validatesAll: true,
  validate: (object, old) =>
    findingsOf((found) => {
      for (const [index, rule] of listAt(object, "rules").entries())
        checkRule(found, `rules[${index}]`, rule, namespaced);
      const aggregation = object["aggregationRule"];
      if (namespaced || !isObject(aggregation)) return;
      const at = "aggregationRule.clusterRoleSelectors";
      const selectors = listAt(aggregation, "clusterRoleSelectors");
      if (selectors.length === 0)
        found.required(at, "at least one clusterRoleSelector required if aggregationRule is non-nil");
      const anyValues = listAt(old, "aggregationRule", "clusterRoleSelectors").some(hasInvalidValue);
      for (const [index, selector] of selectors.entries()) {
        checkSelector(found, `${at}[${index}]`, selector, { anyValues });
        // What may be written as it was still selects nothing.
        const strict = new Findings();
        checkSelector(strict, "", selector);
        if (strict.all.length > 0) found.invalid(`${at}[${index}]`, null, "invalid label selector.");
      }
    }),
});

/** `rbac/v1.Role` */
export const role = roleOf(true);
/** `rbac/v1.ClusterRole` */
export const clusterRole = roleOf(false);

function checkSubject(found: Findings, at: string, subject: Json, namespaced: boolean): void {
  const [kind, name, group] = ["kind", "name", "apiGroup"].map((field) => textAt(subject, field)) as [
    string,
    string,
    string,
  ];
  if (name === "") found.required(`${at}.name`);
  switch (kind) {
    case "ServiceAccount":
      if (name !== "") found.name(dnsSubdomain, `${at}.name`, name);
      if (group !== "") found.notSupported(`${at}.apiGroup`, group, [""]);
      if (!namespaced && textAt(subject, "namespace") === "") found.required(`${at}.namespace`);
      return;
    case "User":
    case "Group":
      if (name === "") found.invalid(`${at}.name`, name, `${kind.toLowerCase()} name cannot be empty`);
      if (group !== GROUP) found.notSupported(`${at}.apiGroup`, group, [GROUP]);
      return;
    default:
      found.notSupported(`${at}.kind`, kind, ["ServiceAccount", "User", "Group"]);
  }
}

function defaultGroups(object: KubeObject): void {
  const reference = object["roleRef"];
  if (isObject(reference) && textAt(reference, "apiGroup") === "") reference["apiGroup"] = GROUP;
  for (const subject of listAt(object, "subjects")) {
    if (!isObject(subject) || textAt(subject, "apiGroup") !== "") continue;
    if (subject["kind"] === "User" || subject["kind"] === "Group") subject["apiGroup"] = GROUP;
  }
}

const bindingOf = (namespaced: boolean): KindHooks => ({
  validatesAll: true,
  applyDefaults: defaultGroups,
  validate: (object, old) =>
    findingsOf((found) => {
      const reference = object["roleRef"];
      const [group, kind] = [textAt(reference, "apiGroup"), textAt(reference, "kind")];
      if (group !== GROUP) found.notSupported("roleRef.apiGroup", group, [GROUP]);
      found.oneOf("roleRef.kind", kind, namespaced ? ["Role", "ClusterRole"] : ["ClusterRole"]);
      found.requiredName(pathSegment, "roleRef.name", textAt(reference, "name"));
      for (const [index, subject] of listAt(object, "subjects").entries())
        checkSubject(found, `subjects[${index}]`, subject, namespaced);
      const before = valueAt(old, "roleRef");
      if (old !== undefined && !deepEqual(reference ?? null, before ?? null))
        found.invalid("roleRef", reference, "cannot change roleRef");
    }),
});

/** `rbac/v1.RoleBinding` */
export const roleBinding = bindingOf(true);
/** `rbac/v1.ClusterRoleBinding` */
export const clusterRoleBinding = bindingOf(false);
