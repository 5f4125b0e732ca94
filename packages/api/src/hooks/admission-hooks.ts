import type { KindHooks } from "../kind/kind.ts";
import { isObject, type Json } from "../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../object/kube-object.ts";
import { type FieldError, forbiddenField, invalid, notSupported, required } from "../status/field-error.ts";
import { checkName, dnsSubdomain } from "../validation/names.ts";
import { validateWebhookClient } from "../validation/webhook-client.ts";
import { oneOf } from "./pod-template.ts";

const OPERATIONS = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const REVIEWS = ["v1", "v1beta1"];

/** What a webhook's or a policy's rules must be. */
export function validateRules(rules: readonly Json[], path: string): readonly FieldError[] {
  return rules.flatMap((rule, index) => {
    const at = `${path}[${index}]`;
    const errors: FieldError[] = [];
    for (const field of ["operations", "apiGroups", "apiVersions", "resources"]) {
      const list = listAt(rule, field);
      if (list.length === 0) errors.push(required(`${at}.${field}`));
      if (list.length > 1 && list.includes("*") && field !== "resources")
        errors.push(invalid(`${at}.${field}`, [...list], "if '*' is present, must not specify other values"));
    }
    for (const [place, operation] of listAt(rule, "operations").entries()) {
      if (!OPERATIONS.includes(textAt(operation)))
        errors.push(notSupported(`${at}.operations[${place}]`, operation, OPERATIONS));
    }
    return [...errors, ...oneOf(rule, "scope", at, ["*", "Cluster", "Namespaced"])];
  });
}

function validateWebhook(webhook: Json, at: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  const name = textAt(webhook, "name");
  if (name === "") errors.push(required(`${at}.name`));
  else {
    errors.push(...checkName(dnsSubdomain, `${at}.name`, name));
    if (name.split(".").length < 3)
      errors.push(invalid(`${at}.name`, name, "should be a domain with at least three segments separated by dots"));
  }
  const effects = textAt(webhook, "sideEffects");
  if (effects === "") errors.push(required(`${at}.sideEffects`, "must specify one of None, NoneOnDryRun"));
  else errors.push(...oneOf(webhook, "sideEffects", at, ["None", "NoneOnDryRun"]));
  const versions = listAt(webhook, "admissionReviewVersions").map((one) => textAt(one));
  if (versions.length === 0)
    errors.push(required(`${at}.admissionReviewVersions`, `must specify one of ${REVIEWS.join(", ")}`));
  else if (!versions.some((one) => REVIEWS.includes(one)))
    errors.push(
      invalid(`${at}.admissionReviewVersions`, versions, `must include at least one of ${REVIEWS.join(", ")}`),
    );
  const seconds = valueAt(webhook, "timeoutSeconds");
  if (typeof seconds === "number" && (seconds < 1 || seconds > 30))
    errors.push(invalid(`${at}.timeoutSeconds`, seconds, "the timeout value must be between 1 and 30 seconds"));
  return [
    ...errors,
    ...oneOf(webhook, "failurePolicy", at, ["Fail", "Ignore"]),
    ...oneOf(webhook, "matchPolicy", at, ["Equivalent", "Exact"]),
    ...oneOf(webhook, "reinvocationPolicy", at, ["IfNeeded", "Never"]),
    ...validateRules(listAt(webhook, "rules"), `${at}.rules`),
    ...validateWebhookClient(valueAt(webhook, "clientConfig"), `${at}.clientConfig`),
  ];
}

function validateConfiguration(object: KubeObject): readonly FieldError[] {
  const webhooks = listAt(object, "webhooks").filter(isObject);
  const names = webhooks.map((one) => textAt(one, "name"));
  return webhooks.flatMap((webhook, index) => {
    const at = `webhooks[${index}]`;
    const errors = validateWebhook(webhook, at);
    const again = names.indexOf(names[index] ?? "") !== index;
    return again ? [...errors, forbiddenField(`${at}.name`, "must be unique")] : errors;
  });
}

const configuration: KindHooks = { tracksGeneration: true, validate: validateConfiguration };

export const ADMISSION_HOOKS: Readonly<Record<string, KindHooks>> = {
  "mutatingwebhookconfigurations.admissionregistration.k8s.io": configuration,
  "validatingwebhookconfigurations.admissionregistration.k8s.io": configuration,
};
