import { randomUUID } from "node:crypto";
import {
  failure,
  failureOf,
  isObject,
  type Json,
  type JsonObject,
  type Kind,
  parseApiVersion,
  parseJson,
  type Status,
  textAt,
  valueAt,
} from "@boxship/api";
import { errorMessage, InvalidArgument, Unavailable } from "@boxship/base";
import type { AdmissionRequest } from "../../contract.ts";
import type { RemoteHooks } from "../../http/remote-hooks.ts";
import type { ServerContext } from "../../server-context.ts";
import { userInfo } from "../../special/access-reviews.ts";
import { inVersion } from "../matching/match-rules.ts";
import type { Webhook } from "./webhook.ts";

/** What a webhook has said of a write that it lets pass. */
export interface Verdict {
  /** RFC 6902; undefined for none. */
  readonly patch?: Json;
}

/**
 * Asks one webhook.
 *
 * @param kind the version that it wants to see
 * @returns undefined where it cannot be asked, and its policy is to go on
 * @throws what it refuses with; InternalError where it cannot be asked
 */
export async function askWebhook(
  context: ServerContext,
  hooks: RemoteHooks,
  webhook: Webhook,
  request: AdmissionRequest,
  kind: Kind,
): Promise<Verdict | undefined> {
  if (request.dryRun && !webhook.dryRuns) {
    throw failure("BadRequest", `admission webhook ${JSON.stringify(webhook.name)} does not support dry run`);
  }
  let response: JsonObject;
  let shown = "";
  try {
    const address = await hooks.addressOf(webhook.clientConfig);
    const url = withTimeout(address.url, webhook.timeoutMs);
    shown = withTimeout(address.shown, webhook.timeoutMs);
    const uid = randomUUID();
    const review = JSON.stringify(await reviewOf(context, request, kind, uid));
    const answer = await hooks.call({ ...address, url }, webhook.clientConfig, review, webhook.timeoutMs);
    response = responseOf(answer.status, answer.text, uid);
  } catch (error) {
    if (webhook.ignoresFailure) {
      request.warn(
        `admission webhook ${JSON.stringify(webhook.name)} could not be asked: the request went on without it`,
      );
      return undefined;
    }
    const why =
      error instanceof InvalidArgument
        ? errorMessage(error)
        : `failed to call webhook: Post "${shown}": ${errorMessage(error)}`;
    throw failure("InternalError", `Internal error occurred: failed calling webhook "${webhook.name}": ${why}`);
  }
  for (const warning of listOf(response["warnings"])) request.warn(warning);
  if (response["allowed"] !== true) throw denial(webhook.name, response["status"]);
  return verdictOf(webhook, response);
}

const listOf = (value: Json | undefined): readonly string[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];

function withTimeout(url: string, timeoutMs: number): string {
  if (url === "") return url;
  const whole = new URL(url);
  whole.searchParams.set("timeout", `${timeoutMs / 1000}s`);
  return whole.toString();
}

async function reviewOf(
  context: ServerContext,
  request: AdmissionRequest,
  kind: Kind,
  uid: string,
): Promise<JsonObject> {
  const { object, oldObject, namespace, name, operation, user, dryRun, subresource, options } = request;
  const type = (one: Kind): JsonObject => {
    const { group, version, kind: word } = request.objectKind ?? one;
    return { group, version, kind: word };
  };
  const resource = (one: Kind): JsonObject => ({ group: one.group, version: one.version, resource: one.resource });
  return {
    kind: "AdmissionReview",
    apiVersion: "admission.k8s.io/v1",
    request: {
      uid,
      kind: type(kind),
      resource: resource(kind),
      ...(subresource === "" ? {} : { subResource: subresource, requestSubResource: subresource }),
      requestKind: type(request.kind),
      requestResource: resource(request.kind),
      ...(name === "" ? {} : { name }),
      ...(namespace === "" ? {} : { namespace }),
      operation,
      userInfo: userInfo(user),
      object: await inVersion(context, request, object, kind),
      oldObject: await inVersion(context, request, oldObject, kind),
      dryRun,
      options: options ?? optionsOf(operation),
    },
  };
}

function optionsOf(operation: AdmissionRequest["operation"]): Json {
  const kind = { CREATE: "CreateOptions", UPDATE: "UpdateOptions", DELETE: "DeleteOptions", CONNECT: "" }[operation];
  return kind === "" ? null : { kind, apiVersion: "meta.k8s.io/v1" };
}

/** @throws Unavailable, InvalidArgument for what is no review of this request */
function responseOf(status: number, text: string, uid: string): JsonObject {
  if (status < 200 || status > 299) throw new Unavailable(`the server answered with ${status}`);
  let review: unknown;
  try {
    review = JSON.parse(text);
  } catch {
    throw new InvalidArgument("received invalid webhook response: it is no JSON");
  }
  const wrong = (what: string): Error => new InvalidArgument(`received invalid webhook response: ${what}`);
  if (!isObject(review)) throw wrong("it is no object");
  const { group = "", version = "" } = parseApiVersion(textAt(review, "apiVersion")) ?? {};
  if (group !== "admission.k8s.io" || version !== "v1" || review["kind"] !== "AdmissionReview")
    throw wrong(
      `expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got ${group}/${version}, Kind=${textAt(review, "kind")}`,
    );
  const response = review["response"];
  if (!isObject(response)) throw wrong("webhook response was absent");
  if (response["uid"] !== uid)
    throw wrong(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response["uid"] ?? "")}`);
  return response;
}

function verdictOf(webhook: Webhook, response: JsonObject): Verdict {
  const { patch, patchType } = response;
  if (patch === undefined || patch === null) return {};
  const bad = (what: string): Error =>
    failure("InternalError", `Internal error occurred: admission webhook "${webhook.name}": ${what}`);
  if (patchType !== "JSONPatch")
    throw bad(`webhook returned response.patch with patchType ${JSON.stringify(patchType ?? "")}`);
  try {
    return { patch: parseJson(Buffer.from(textAt(patch), "base64").toString()) };
  } catch {
    throw bad("webhook returned a patch that is no JSON");
  }
}

function denial(name: string, result: Json | undefined): Error {
  const start = `admission webhook ${JSON.stringify(name)} denied the request`;
  const [message, reason] = [textAt(result, "message"), textAt(result, "reason")];
  const words = message || reason;
  const code = Math.max(Number(valueAt(result, "code") ?? 0) || 0, 400);
  const details = valueAt(result, "details");
  const status: JsonObject = {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: words === "" ? `${start} without explanation` : `${start}: ${words}`,
    ...(reason === "" ? {} : { reason }),
    ...(isObject(details) ? { details } : {}),
    code: Math.min(code, 599),
  };
  return failureOf(status as Status);
}
