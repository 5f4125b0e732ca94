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
import { errorMessage, InvalidArgument } from "@boxship/base";
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

/** In which round of which sort of webhooks one is asked. */
export interface Turn {
  readonly mutating: boolean;
  /** As annotations of audit events name it: `round_0_index_1`. */
  readonly place: string;
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
  turn: Turn,
): Promise<Verdict | undefined> {
  if (request.dryRun && !webhook.dryRuns) {
    throw failure("BadRequest", `admission webhook ${JSON.stringify(webhook.name)} does not support dry run`);
  }
  let shown = "";
  let response: JsonObject;
  let patch: Json | undefined;
  const { name, reviewVersion: version } = webhook;
  try {
    const address = await hooks.addressOf(webhook.clientConfig);
    const url = withTimeout(address.url, webhook.timeoutMs);
    shown = withTimeout(address.shown, webhook.timeoutMs);
    const uid = randomUUID();
    const review = JSON.stringify(await reviewOf(context, request, kind, { uid, version }));
    const answer = await hooks.call({ ...address, url }, webhook.clientConfig, review, webhook.timeoutMs);
    response = responseOf(answer.status, answer.text, { uid, version });
    const sent = version === "v1" ? patchOf(response, turn.mutating) : (response["patch"] ?? undefined);
    tell(webhook, request, response);
    if (sent !== undefined && turn.mutating && response["allowed"] === true) patch = decodedPatch(sent);
  } catch (error) {
    if (webhook.ignoresFailure) {
      const sort = turn.mutating ? "mutation" : "validating";
      request.annotate(`failed-open.${sort}.webhook.admission.k8s.io/${turn.place}`, name);
      context.logger.warn("an admission webhook cannot be asked: the request goes on without it", {
        webhook: webhook.id,
        error,
      });
      return undefined;
    }
    const why =
      error instanceof InvalidArgument
        ? errorMessage(error)
        : `failed to call webhook: Post "${shown}": ${errorMessage(error)}`;
    throw failure("InternalError", `Internal error occurred: failed calling webhook "${name}": ${why}`);
  }
  if (response["allowed"] !== true) throw denial(name, response["status"]);
  return patch === undefined ? {} : { patch };
}

/** What a webhook says besides its verdict. */
function tell({ name }: Webhook, request: AdmissionRequest, response: JsonObject): void {
  const { auditAnnotations } = response;
  for (const [key, value] of Object.entries(isObject(auditAnnotations) ? auditAnnotations : {}))
    if (typeof value === "string") request.annotate(`${name}/${key}`, value);
  for (const warning of listOf(response["warnings"])) request.warn(warning);
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
  { uid, version: reviewVersion }: Review,
): Promise<JsonObject> {
  const { object, oldObject, namespace, name, operation, user, dryRun, subresource, options } = request;
  const type = (one: Kind): JsonObject => {
    const { group, version, kind: word } = request.objectKind ?? one;
    return { group, version, kind: word };
  };
  const resource = (one: Kind): JsonObject => ({ group: one.group, version: one.version, resource: one.resource });
  return {
    kind: "AdmissionReview",
    apiVersion: `admission.k8s.io/${reviewVersion}`,
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

interface Review {
  readonly uid: string;
  readonly version: string;
}

/** @throws InvalidArgument for what is no review of this request */
function responseOf(status: number, text: string, { uid, version }: Review): JsonObject {
  if (status < 200 || status > 299) {
    const said = JSON.stringify(text.slice(0, MOST_SAID));
    throw new InvalidArgument(
      `failed to call webhook: an error on the server (${said}) has prevented the request from succeeding`,
    );
  }
  let review: unknown;
  try {
    review = JSON.parse(text);
  } catch {
    throw new InvalidArgument("received invalid webhook response: it is no JSON");
  }
  const wrong = (what: string): Error => new InvalidArgument(`received invalid webhook response: ${what}`);
  if (!isObject(review)) throw wrong("it is no object");
  const response = review["response"];
  if (version !== "v1") {
    if (!isObject(response)) throw wrong("webhook response was absent");
    return response;
  }
  const { group = "", version: found = "" } = parseApiVersion(textAt(review, "apiVersion")) ?? {};
  if (group !== "admission.k8s.io" || found !== "v1" || review["kind"] !== "AdmissionReview")
    throw wrong(
      `expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got ${group}/${found}, Kind=${textAt(review, "kind")}`,
    );
  if (!isObject(response)) throw wrong("webhook response was absent");
  if (response["uid"] !== uid)
    throw wrong(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response["uid"] ?? "")}`);
  return response;
}

/** Characters of a failed answer that are told. */
const MOST_SAID = 2048;

/** @throws InvalidArgument where patch and type do not go together, or there may be none */
function patchOf({ patch, patchType }: JsonObject, mutating: boolean): Json | undefined {
  const [hasPatch, hasType] = [textAt(patch ?? null) !== "", patchType !== undefined && patchType !== null];
  const wrong = (what: string): Error => new InvalidArgument(`received invalid webhook response: ${what}`);
  if (!mutating) {
    if (hasPatch) throw wrong("validating webhook may not return response.patch");
    if (hasType) throw wrong("validating webhook may not return response.patchType");
    return undefined;
  }
  if (hasPatch && !hasType) throw wrong("webhook returned response.patch but not response.patchType");
  if (!hasPatch && hasType) throw wrong("webhook returned response.patchType but not response.patch");
  if (!hasPatch) return undefined;
  if (patchType === "") throw wrong('webhook returned invalid response.patchType of ""');
  if (patchType !== "JSONPatch") throw new InvalidArgument(`unsupported patch type ${JSON.stringify(patchType)}`);
  return patch;
}

/** @throws InvalidArgument */
function decodedPatch(patch: Json): Json {
  try {
    const decoded = parseJson(Buffer.from(textAt(patch), "base64").toString());
    if (Array.isArray(decoded)) return decoded;
  } catch {
    // Told below.
  }
  throw new InvalidArgument("received undecodable patch in webhook response: it is no list in JSON");
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
