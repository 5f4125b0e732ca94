import type { Json } from "../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../object/kube-object.ts";
import { type FieldError, forbiddenField, invalid, notSupported, required } from "../status/field-error.ts";
import { checkName, dns1035Label } from "../validation/names.ts";
import { validateWebhookClient } from "../validation/webhook-client.ts";
import { bundleErrors } from "./ca-bundle.ts";

const REVIEWS = ["v1", "v1beta1"];
const PATH = "spec.conversion";

/**
 * What is wrong with how objects are converted. In upstream's words, which are about the fields of its own types.
 *
 * @param preserves `spec.preserveUnknownFields`
 * @param old the definition as it was, undefined for a new one
 */
export function conversionErrors(
  conversion: Json | undefined,
  preserves: boolean,
  old: KubeObject | undefined,
): readonly FieldError[] {
  if (conversion === undefined || conversion === null) return [];
  const strategy = textAt(conversion, "strategy");
  const strategies = ["None", "Webhook"];
  const errors: FieldError[] = [];
  if (strategy !== "None" && preserves)
    errors.push(invalid(`${PATH}.strategy`, strategy, "must be None if spec.preserveUnknownFields is true"));
  if (strategy === "") errors.push(required(`${PATH}.strategy`));
  else if (!strategies.includes(strategy)) errors.push(notSupported(`${PATH}.strategy`, strategy, strategies));
  const client = valueAt(conversion, "webhook", "clientConfig") ?? undefined;
  const reviews = listAt(conversion, "webhook", "conversionReviewVersions").map((one) => textAt(one));
  const [clientPath, reviewsPath] = [`${PATH}.webhookClientConfig`, `${PATH}.conversionReviewVersions`];
  if (strategy !== "Webhook") {
    const why = "should not be set when strategy is not set to Webhook";
    if (client !== undefined) errors.push(forbiddenField(clientPath, why));
    if (reviews.length > 0) errors.push(forbiddenField(reviewsPath, why));
    return errors;
  }
  if (client === undefined) errors.push(required(clientPath, "required when strategy is set to Webhook"));
  else
    errors.push(...validateWebhookClient(client, clientPath), ...bundleErrors(client, `${clientPath}.caBundle`, old));
  return [...errors, ...reviewErrors(reviews, reviewsPath)];
}

function reviewErrors(reviews: readonly string[], path: string): readonly FieldError[] {
  if (reviews.length === 0) return [required(path)];
  const errors = reviews.flatMap((version, index) =>
    reviews.indexOf(version) === index
      ? checkName(dns1035Label, `${path}[${index}]`, version)
      : [invalid(`${path}[${index}]`, version, "duplicate version")],
  );
  if (reviews.some((one) => REVIEWS.includes(one))) return errors;
  return [...errors, invalid(path, [...reviews], `must include at least one of ${REVIEWS.join(", ")}`)];
}
