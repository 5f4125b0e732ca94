import type { KindHooks } from "../../kind/kind.ts";
import type { Json } from "../../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { dns1035Label, dnsSubdomain } from "../../validation/names.ts";
import { checkSelector, hasInvalidValue } from "../../validation/selectors.ts";
import { validateWebhookClient } from "../../validation/webhook-client.ts";
import { checkMatchConditions, checkRule } from "./match-resources.ts";

const REVIEWS = ["v1", "v1beta1"];
const EFFECTS = ["None", "NoneOnDryRun"];
const ALL_EFFECTS = ["None", "NoneOnDryRun", "Some", "Unknown"];

const webhooksOf = (object: KubeObject | undefined): readonly Json[] => listAt(object, "webhooks");
const selectorsOf = (webhook: Json) =>
  ["namespaceSelector", "objectSelector"].map((field) => [field, valueAt(webhook, field)] as const);
const reviewsOf = (webhook: Json): string[] => listAt(webhook, "admissionReviewVersions").map((one) => textAt(one));

/** Objects that had something before that is forbidden now may go on having it. */
interface Allowed {
  readonly effects: readonly string[];
  readonly anyReview: boolean;
  readonly sameNames: boolean;
  readonly anyValues: boolean;
}

function allowedFor(old: KubeObject | undefined): Allowed {
  const webhooks = webhooksOf(old);
  const names = webhooks.map((one) => textAt(one, "name"));
  return {
    effects: webhooks.every((one) => EFFECTS.includes(textAt(one, "sideEffects"))) ? EFFECTS : ALL_EFFECTS,
    anyReview: webhooks.map(reviewsOf).some((all) => all.length > 0 && !all.some((one) => REVIEWS.includes(one))),
    sameNames: new Set(names).size < names.length,
    anyValues: webhooks.some((one) => selectorsOf(one).some(([, selector]) => hasInvalidValue(selector))),
  };
}

function checkName(found: Findings, at: string, name: string): void {
  const problems = name === "" ? [] : dnsSubdomain(name);
  if (name === "") found.required(at);
  else if (problems.length > 0) found.invalid(at, name, problems.join(","));
  else if (name.split(".").length < 3)
    found.invalid(at, name, "should be a domain with at least three segments separated by dots");
}

function checkWebhook(found: Findings, at: string, webhook: Json, { effects, anyValues }: Allowed): void {
  const value = (field: string): Json | undefined => valueAt(webhook, field) ?? undefined;
  checkName(found, `${at}.name`, textAt(webhook, "name"));
  for (const [index, rule] of listAt(webhook, "rules").entries()) checkRule(found, `${at}.rules[${index}]`, rule);
  found.oneOf(`${at}.failurePolicy`, value("failurePolicy"), ["Fail", "Ignore"]);
  found.oneOf(`${at}.matchPolicy`, value("matchPolicy"), ["Equivalent", "Exact"]);
  if (value("sideEffects") === undefined)
    found.required(`${at}.sideEffects`, `must specify one of ${effects.join(", ")}`);
  found.oneOf(`${at}.sideEffects`, value("sideEffects"), effects);
  const seconds = value("timeoutSeconds");
  if (typeof seconds === "number" && (seconds < 1 || seconds > 30))
    found.invalid(`${at}.timeoutSeconds`, seconds, "the timeout value must be between 1 and 30 seconds");
  for (const [field, selector] of selectorsOf(webhook)) checkSelector(found, `${at}.${field}`, selector, { anyValues });
  found.oneOf(`${at}.reinvocationPolicy`, value("reinvocationPolicy"), ["IfNeeded", "Never"]);
  found.add(...validateWebhookClient(value("clientConfig"), `${at}.clientConfig`));
  checkMatchConditions(found, `${at}.matchConditions`, listAt(webhook, "matchConditions"), { params: false });
}

function checkReviews(found: Findings, at: string, versions: string[], anyReview: boolean): void {
  if (versions.length === 0) {
    found.required(at, `must specify one of ${REVIEWS.join(", ")}`);
    return;
  }
  const seen = new Set<string>();
  for (const [index, version] of versions.entries()) {
    if (seen.has(version)) found.invalid(`${at}[${index}]`, version, "duplicate version");
    else found.name(dns1035Label, `${at}[${index}]`, version);
    seen.add(version);
  }
  if (!anyReview && !versions.some((one) => REVIEWS.includes(one)))
    found.invalid(at, versions, `must include at least one of ${REVIEWS.join(", ")}`);
}

/** `admissionregistration/v1.MutatingWebhookConfiguration` and `ValidatingWebhookConfiguration` */
export const webhookConfiguration: KindHooks = {
  tracksGeneration: true,
  validatesAll: true,
  validate: (object, old) =>
    findingsOf((found) => {
      const allowed = allowedFor(old);
      const names = new Set<string>();
      for (const [index, webhook] of webhooksOf(object).entries()) {
        const at = `webhooks[${index}]`;
        const name = textAt(webhook, "name");
        checkWebhook(found, at, webhook, allowed);
        checkReviews(found, `${at}.admissionReviewVersions`, reviewsOf(webhook), allowed.anyReview);
        if (!allowed.sameNames && name !== "" && names.has(name)) found.duplicate(`${at}.name`, name);
        names.add(name);
      }
    }),
};
