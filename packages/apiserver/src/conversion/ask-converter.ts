import { randomUUID } from "node:crypto";
import {
  apiVersionOf,
  asText,
  type ConversionWebhook,
  deepEqual,
  failureOf,
  isObject,
  type Json,
  type JsonObject,
  type Kind,
  type KubeObject,
  parseApiVersion,
  parseJson,
  textAt,
  validateAnnotations,
  validateLabels,
} from "@boxship/api";
import { errorMessage } from "@boxship/base";
import type { RemoteHooks } from "../http/remote-hooks.ts";

const TIMEOUT_MS = 30_000;
const GROUP = "apiextensions.k8s.io";
const SPOKEN = ["v1", "v1beta1"];

/**
 * Objects in another version of their kind, made by the webhook of their definition.
 *
 * @throws an error without a reason, as upstream's: what went wrong in its words
 */
export async function askConverter(
  hooks: RemoteHooks,
  kind: Kind,
  webhook: ConversionWebhook,
  objects: readonly KubeObject[],
  apiVersion: string,
): Promise<readonly KubeObject[]> {
  const from = parseApiVersion(objects[0]?.apiVersion ?? "") ?? kind;
  const fail = (what: string): Error =>
    failureOf({
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: `conversion webhook for ${from.group}/${from.version}, Kind=${kind.kind} ${what}`,
      code: 500,
    });
  const uid = randomUUID();
  let converted: readonly Json[];
  try {
    converted = await ask(hooks, webhook, { uid, desiredAPIVersion: apiVersion, objects: [...objects] });
  } catch (error) {
    throw fail(`failed: ${errorMessage(error)}`);
  }
  if (converted.length !== objects.length)
    throw fail(`returned ${converted.length} objects, expected ${objects.length}`);
  return converted.map((one, index) => {
    const place = objects.length === 1 ? "" : ` in object at index ${index}`;
    const original = objects[index] as KubeObject;
    const wrong = typeProblem(one, original, apiVersion);
    if (wrong !== undefined) throw fail(`returned invalid object at index ${index}: ${wrong}`);
    const object = one as KubeObject;
    const other = identityProblem(object, original);
    if (other !== undefined) throw fail(`returned invalid object${place}: ${other}`);
    const metadata = restoreMetadata(object, original);
    if (typeof metadata === "string") throw fail(`returned invalid metadata${place}: ${metadata}`);
    return { ...object, metadata };
  });
}

/** @throws Error with upstream's words of what is wrong with the answer */
async function ask(hooks: RemoteHooks, webhook: ConversionWebhook, request: JsonObject): Promise<readonly Json[]> {
  const version = webhook.reviewVersions.find((one) => SPOKEN.includes(one));
  if (version === undefined) throw new Error("no supported conversion review versions");
  const apiVersion = apiVersionOf({ group: GROUP, version });
  const body = JSON.stringify({ kind: "ConversionReview", apiVersion, request });
  const address = await hooks.addressOf(webhook.clientConfig);
  const timeout = `timeout=${TIMEOUT_MS / 1000}s`;
  let answer: { readonly status: number; readonly text: string };
  try {
    const url = `${address.url}?${timeout}`;
    answer = await hooks.call({ ...address, url }, webhook.clientConfig, body, TIMEOUT_MS);
  } catch (error) {
    throw new Error(`Post ${JSON.stringify(`${address.shown}?${timeout}`)}: ${errorMessage(error)}`, { cause: error });
  }
  if (answer.status < 200 || answer.status > 299)
    throw new Error("the server rejected our request for an unknown reason");
  const said = parsed(answer.text);
  const kind = textAt(said, "kind");
  if (version === "v1" && (textAt(said, "apiVersion") !== apiVersion || kind !== "ConversionReview")) {
    const { group = "", version: own = "" } = parseApiVersion(textAt(said, "apiVersion")) ?? {};
    throw new Error(
      `expected webhook response of ${apiVersion}, Kind=ConversionReview, got ${group}/${own}, Kind=${kind}`,
    );
  }
  return objectsOf(said, version === "v1" ? textAt(request, "uid") : undefined);
}

function parsed(text: string): Json {
  try {
    return parseJson(text);
  } catch {
    throw new Error("the answer is no JSON");
  }
}

function objectsOf(review: Json, uid: string | undefined): readonly Json[] {
  const response = isObject(review) ? review["response"] : undefined;
  if (!isObject(response)) throw new Error("no response provided");
  if (uid !== undefined && response["uid"] !== uid)
    throw new Error(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(textAt(response, "uid"))}`);
  const status = textAt(response, "result", "status");
  if (status !== "Success")
    throw new Error(textAt(response, "result", "message") || `response.result.status was '${status}', not 'Success'`);
  const converted = response["convertedObjects"];
  return Array.isArray(converted) ? converted : [];
}

function typeProblem(converted: Json, original: KubeObject, apiVersion: string): string | undefined {
  const [version, kind] = [textAt(converted, "apiVersion"), textAt(converted, "kind")];
  if (version !== apiVersion) return `invalid groupVersion (expected ${apiVersion}, received ${version})`;
  return kind === original.kind ? undefined : `invalid kind (expected ${original.kind}, received ${kind})`;
}

const IDENTITY: readonly (readonly [field: string, shown: string])[] = [
  ["name", "name"],
  ["namespace", "namespace"],
  ["uid", "UID"],
];

function identityProblem(converted: KubeObject, { metadata }: KubeObject): string | undefined {
  for (const [field, shown] of IDENTITY) {
    const [before, now] = [textAt(metadata, field), textAt(converted, "metadata", field)];
    if (before !== now) return `must have the same ${shown}: ${before} != ${now}`;
  }
  return undefined;
}

/** The original's, with the labels and annotations that the webhook gave it; or what is wrong with those. */
function restoreMetadata(converted: KubeObject, original: KubeObject): KubeObject["metadata"] | string {
  const given = (converted as JsonObject)["metadata"];
  if (given === undefined) return "missing metadata in converted object";
  const metadata = { ...original.metadata };
  for (const field of ["labels", "annotations"] as const) {
    const values = isObject(given) ? (given[field] ?? undefined) : undefined;
    delete metadata[field];
    if (values === undefined) continue;
    if (!isObject(values)) return `invalid metadata.${field} in converted object`;
    for (const [key, value] of Object.entries(values)) {
      if (typeof value !== "string") return `metadata.${field}[${key}] must be a string`;
    }
    const own = values as Record<string, string>;
    if (!deepEqual(own, original.metadata[field])) {
      const errors =
        field === "labels" ? validateLabels(own, "metadata.labels") : validateAnnotations(own, "metadata.annotations");
      if (errors.length > 0) return errors.map(asText).join(", ");
    }
    metadata[field] = own;
  }
  return metadata;
}
