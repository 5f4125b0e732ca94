import { stat } from "node:fs/promises";
import { isAbsolute } from "node:path";
import {
  asText,
  dnsSubdomain,
  duplicate,
  type FieldError,
  invalid,
  isObject,
  type Json,
  type JsonObject,
  listAt,
  notSupported,
  required,
  textAt,
  tooMany,
  valueAt,
} from "@boxship/api";
import { errorMessage, InvalidArgument, parseDuration, Unsupported } from "@boxship/base";
import { parseYaml } from "../http/parse-yaml.ts";
import { compileMatchCondition, type MatchCondition } from "./match-review.ts";

/** How another server is asked. */
export interface AuthorizationWebhook {
  readonly kubeconfig: string;
  readonly timeoutMs: number;
  /** How long answers hold; 0 for those that are not kept. */
  readonly authorizedMs: number;
  readonly unauthorizedMs: number;
  readonly reviewVersion: "v1" | "v1beta1";
  /** Where it cannot be asked, or conditions cannot be evaluated. */
  readonly onFailure: "no-opinion" | "deny";
  /** It is asked where all of them hold. */
  readonly conditions: readonly MatchCondition[];
}

export type ConfiguredAuthorizer =
  | { readonly type: "Node" | "RBAC" | "AlwaysAllow" | "AlwaysDeny"; readonly name: string }
  | { readonly type: "Webhook"; readonly name: string; readonly webhook: AuthorizationWebhook };

const TYPES = ["ABAC", "AlwaysAllow", "AlwaysDeny", "Node", "RBAC", "Webhook"];
const VERSIONS = ["v1", "v1beta1", "v1alpha1"].map((version) => `apiserver.config.k8s.io/${version}`);
const LONGEST_TIMEOUT_MS = 30_000;
const MOST_CONDITIONS = 64;

const KNOWN: Readonly<Record<string, readonly string[]>> = {
  file: ["apiVersion", "kind", "authorizers"],
  authorizer: ["type", "name", "webhook"],
  webhook: [
    "authorizedTTL",
    "cacheAuthorizedRequests",
    "unauthorizedTTL",
    "cacheUnauthorizedRequests",
    "timeout",
    "subjectAccessReviewVersion",
    "matchConditionSubjectAccessReviewVersion",
    "failurePolicy",
    "connectionInfo",
    "matchConditions",
  ],
  connectionInfo: ["type", "kubeConfigFile"],
  condition: ["expression"],
};

/**
 * `apiserver.config.k8s.io/v1.AuthorizationConfiguration`: who is asked, one after the other.
 *
 * @throws InvalidArgument naming all fields that are wrong, in upstream's words; Unsupported for what cannot be here
 */
export async function parseAuthorizationFile(text: string): Promise<readonly ConfiguredAuthorizer[]> {
  let document: Json;
  try {
    document = parseYaml(text);
  } catch (error) {
    throw wrong([errorMessage(error)]);
  }
  const unknown: string[] = [];
  const file = objectOf(document, "", "file", unknown);
  if (!VERSIONS.includes(textAt(file, "apiVersion")) || textAt(file, "kind") !== "AuthorizationConfiguration")
    throw wrong([`it is no AuthorizationConfiguration of ${VERSIONS[0]}`]);
  const errors: FieldError[] = [];
  const found: ConfiguredAuthorizer[] = [];
  const all = listAt(file, "authorizers");
  if (all.length === 0) errors.push(required("authorizers", "at least one authorization mode must be defined"));
  const seen = { types: new Set<string>(), names: new Set<string>() };
  for (const [index, one] of all.entries()) {
    const at = `authorizers[${index}]`;
    const configured = await authorizerOf(objectOf(one, at, "authorizer", unknown), { at, seen, errors, unknown });
    if (configured !== undefined) found.push(configured);
  }
  const strict = unknown.map((field) => `strict decoding error: unknown field ${JSON.stringify(field)}`);
  if (strict.length + errors.length > 0) throw wrong([...strict, ...errors.map(asText)]);
  return found;
}

const wrong = (what: readonly string[]): Error =>
  new InvalidArgument(`the authorization configuration is wrong: ${what.join(", ")}`);

interface Reading {
  /** The field that is read. */
  readonly at: string;
  readonly seen: { readonly types: Set<string>; readonly names: Set<string> };
  readonly errors: FieldError[];
  /** Fields that nobody knows. */
  readonly unknown: string[];
}

function objectOf(value: Json | undefined, at: string, kind: string, unknown: string[]): JsonObject {
  if (!isObject(value)) throw wrong([`${at || "it"} is no object`]);
  const others = Object.keys(value).filter((field) => !KNOWN[kind]?.includes(field));
  unknown.push(...others.map((field) => (at === "" ? field : `${at}.${field}`)));
  return value;
}

/** @returns undefined for one that is wrong */
async function authorizerOf(value: JsonObject, reading: Reading): Promise<ConfiguredAuthorizer | undefined> {
  const { at, seen, errors, unknown } = reading;
  const [type, name] = [textAt(value, "type"), textAt(value, "name")];
  if (type === "") return void errors.push(required(`${at}.type`));
  if (!TYPES.includes(type)) return void errors.push(notSupported(`${at}.type`, type, TYPES));
  if (type === "ABAC") throw new Unsupported(`${at}.type ABAC is not supported: there are no policy files`);
  if (seen.types.has(type) && type !== "Webhook") return void errors.push(duplicate(`${at}.type`, type));
  seen.types.add(type);
  if (name === "") errors.push(required(`${at}.name`));
  else if (seen.names.has(name)) errors.push(duplicate(`${at}.name`, name));
  else {
    const problems = dnsSubdomain(name);
    if (problems.length > 0)
      errors.push(invalid(`${at}.name`, name, `authorizer name is invalid: ${problems.join(", ")}`));
  }
  seen.names.add(name);
  const webhook = valueAt(value, "webhook") ?? null;
  if (type !== "Webhook") {
    if (webhook !== null) errors.push(invalid(`${at}.webhook`, "non-null", "may only be specified when type=Webhook"));
    return { type: type as "RBAC", name };
  }
  if (webhook === null) return void errors.push(required(`${at}.webhook`, "required when type=Webhook"));
  return { type, name, webhook: await webhookOf(objectOf(webhook, `${at}.webhook`, "webhook", unknown), reading) };
}

async function webhookOf(webhook: JsonObject, reading: Reading): Promise<AuthorizationWebhook> {
  const { at, errors } = reading;
  const choice = (field: string, choices: readonly string[], missing?: FieldError): string => {
    const value = textAt(webhook, field);
    if (value === "" && missing !== undefined) errors.push(missing);
    if (value !== "" && !choices.includes(value)) errors.push(notSupported(`${at}.${field}`, value, choices));
    return value;
  };
  const timeoutMs = durationAt(webhook, "timeout", reading);
  if (timeoutMs === 0) errors.push(required(`${at}.timeout`));
  else if (timeoutMs !== undefined && (timeoutMs > LONGEST_TIMEOUT_MS || timeoutMs < 0))
    errors.push(invalid(`${at}.timeout`, textAt(webhook, "timeout"), "must be > 0s and <= 30s"));
  const authorizedMs = ttlAt(webhook, "authorizedTTL", 300_000, reading);
  const unauthorizedMs = ttlAt(webhook, "unauthorizedTTL", 30_000, reading);
  const version = choice("subjectAccessReviewVersion", ["v1", "v1beta1"], required(`${at}.subjectAccessReviewVersion`));
  const conditions = listAt(webhook, "matchConditions");
  const field = "matchConditionSubjectAccessReviewVersion";
  const missing = required(`${at}.${field}`, "required if match conditions are specified");
  choice(field, ["v1"], conditions.length > 0 ? missing : undefined);
  const policy = choice("failurePolicy", ["NoOpinion", "Deny"], required(`${at}.failurePolicy`));
  return {
    timeoutMs: timeoutMs ?? 0,
    authorizedMs: valueAt(webhook, "cacheAuthorizedRequests") === false ? 0 : authorizedMs,
    unauthorizedMs: valueAt(webhook, "cacheUnauthorizedRequests") === false ? 0 : unauthorizedMs,
    reviewVersion: version as "v1",
    onFailure: policy === "Deny" ? "deny" : "no-opinion",
    kubeconfig: await kubeconfigOf(valueAt(webhook, "connectionInfo") ?? {}, reading),
    conditions: conditionsOf(conditions, reading),
  };
}

/** @returns undefined for what is none */
function durationAt(webhook: JsonObject, field: string, { at, errors }: Reading): number | undefined {
  const value = webhook[field] ?? null;
  if (value === null) return 0;
  try {
    return parseDuration(typeof value === "string" ? value : JSON.stringify(value)) / 1e6;
  } catch (error) {
    errors.push(invalid(`${at}.${field}`, value, errorMessage(error)));
    return undefined;
  }
}

function ttlAt(webhook: JsonObject, field: string, usual: number, reading: Reading): number {
  const found = durationAt(webhook, field, reading);
  if (found !== undefined && found < 0)
    reading.errors.push(invalid(`${reading.at}.${field}`, textAt(webhook, field), "must be > 0s"));
  return found || usual;
}

async function kubeconfigOf(info: Json, { at: above, errors, unknown }: Reading): Promise<string> {
  const at = `${above}.connectionInfo`;
  const { type, kubeConfigFile: path = null } = objectOf(info, at, "connectionInfo", unknown);
  const file = `${at}.kubeConfigFile`;
  const choices = ["InClusterConfig", "KubeConfigFile"];
  if (type === undefined || type === null || type === "") errors.push(required(`${at}.type`));
  else if (type === "InClusterConfig")
    throw new Unsupported(`${at}.type InClusterConfig is not supported: this server runs in no pod`);
  else if (type !== "KubeConfigFile") errors.push(notSupported(`${at}.type`, type, choices));
  else if (typeof path !== "string" || path === "") errors.push(required(file));
  else if (!isAbsolute(path)) errors.push(invalid(file, path, "must be an absolute path"));
  else {
    const found = await stat(path).catch((error: unknown) => errorMessage(error));
    if (typeof found === "string") errors.push(invalid(file, path, `error loading file: ${found}`));
    else if (!found.isFile()) errors.push(invalid(file, path, "must be a regular file"));
  }
  return typeof path === "string" ? path : "";
}

function conditionsOf(all: readonly Json[], { at, errors, unknown }: Reading): readonly MatchCondition[] {
  if (all.length > MOST_CONDITIONS) {
    errors.push(tooMany(`${at}.matchConditions`, all.length, MOST_CONDITIONS));
    return [];
  }
  const seen = new Set<string>();
  return all.flatMap((one, index) => {
    const place = `${at}.matchConditions[${index}]`;
    const expression = textAt(objectOf(one, place, "condition", unknown), "expression");
    const field = `${place}.expression`;
    if (expression.trim() === "") errors.push(required(field));
    else if (seen.has(expression)) errors.push(duplicate(field, expression));
    else {
      seen.add(expression);
      try {
        return [compileMatchCondition(expression)];
      } catch (error) {
        errors.push(invalid(field, expression, `compilation failed: ${errorMessage(error)}`));
      }
    }
    return [];
  });
}
