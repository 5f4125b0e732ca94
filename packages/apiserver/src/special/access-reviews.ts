import {
  badRequest,
  invalidObject,
  isObject,
  type JsonObject,
  type KubeObject,
  listAt,
  required,
  textAt,
  valueAt,
} from "@boxship/api";
import { decide } from "../access/authorize.ts";
import type { Attributes, User } from "../contract.ts";
import { jsonReply, type Reply } from "../http/reply.ts";
import type { ResourceRequest, ServerContext } from "../server-context.ts";
import { decodeObject } from "../verbs/decode-object.ts";
import { readObjectBody } from "../verbs/read-object-body.ts";

export async function readReview(request: ResourceRequest): Promise<KubeObject> {
  const { body } = await readObjectBody(request);
  return decodeObject(request.kind, body, { fieldValidation: "Warn", warn: request.warn });
}

/** `kubectl auth can-i`. */
export async function selfSubjectAccessReview(context: ServerContext, request: ResourceRequest): Promise<Reply> {
  const review = await readReview(request);
  return await answer(context, request, review, request.user);
}

export async function subjectAccessReview(context: ServerContext, request: ResourceRequest): Promise<Reply> {
  const review = await readReview(request);
  return await answer(context, request, review, subjectOf(request, review));
}

export async function localSubjectAccessReview(context: ServerContext, request: ResourceRequest): Promise<Reply> {
  const review = await readReview(request);
  const namespace = textAt(review, "spec", "resourceAttributes", "namespace");
  if (namespace !== request.info.namespace) {
    throw badRequest(`spec.resourceAttributes.namespace must match namespace: ${request.info.namespace}`);
  }
  return await answer(context, request, review, subjectOf(request, review));
}

function subjectOf({ kind }: ResourceRequest, review: KubeObject): User {
  const name = textAt(review, "spec", "user");
  const groups = listAt(review, "spec", "groups").map(String);
  if (name === "" && groups.length === 0) {
    throw invalidObject({ group: kind.group, resource: kind.kind }, "", [
      required("spec.user", "at least one of user or group must be specified"),
    ]);
  }
  return { name, groups, ...extraOf(review) };
}

function extraOf(review: KubeObject): Pick<User, "extra"> {
  const extra = valueAt(review, "spec", "extra");
  return isObject(extra) ? { extra: extra as unknown as NonNullable<User["extra"]> } : {};
}

async function answer(
  { authorizers }: ServerContext,
  { kind }: ResourceRequest,
  review: KubeObject,
  user: User,
): Promise<Reply> {
  const attributes = attributesOf(review, user);
  if (attributes === undefined) {
    throw invalidObject({ group: kind.group, resource: kind.kind }, "", [
      required(
        "spec.resourceAttributes",
        "exactly one of nonResourceAttributes or resourceAttributes must be specified",
      ),
    ]);
  }
  const { allowed, reason } = await decide(authorizers, attributes);
  const status: JsonObject = { allowed, ...(reason === "" ? {} : { reason }) };
  return jsonReply({ ...review, status }, 201);
}

function attributesOf(review: KubeObject, user: User): Attributes | undefined {
  const resource = valueAt(review, "spec", "resourceAttributes");
  const other = valueAt(review, "spec", "nonResourceAttributes");
  if ((resource === undefined) === (other === undefined)) return undefined;
  if (other !== undefined) return { user, verb: textAt(other, "verb"), path: textAt(other, "path") };
  const text = (field: string): string => textAt(resource, field);
  return {
    user,
    verb: text("verb"),
    path: "",
    resource: {
      group: text("group"),
      version: text("version"),
      resource: text("resource"),
      namespace: text("namespace"),
      name: text("name"),
      subresource: text("subresource"),
    },
  };
}

/** `kubectl auth can-i --list`. */
export async function selfSubjectRulesReview({ authorizers }: ServerContext, request: ResourceRequest): Promise<Reply> {
  const review = await readReview(request);
  const namespace = textAt(review, "spec", "namespace");
  if (namespace === "") throw badRequest("no namespace on request");
  const found = await Promise.all(authorizers.map(async (one) => await one.rulesFor?.(request.user, namespace)));
  const status = {
    resourceRules: found.flatMap((rules) => rules?.resourceRules ?? []),
    nonResourceRules: found.flatMap((rules) => rules?.nonResourceRules ?? []),
    incomplete: found.some((rules) => rules === undefined),
  };
  return jsonReply({ ...review, status: status as unknown as JsonObject }, 201);
}

/** `kubectl auth whoami`. */
export async function selfSubjectReview(_: ServerContext, request: ResourceRequest): Promise<Reply> {
  const review = await readReview(request);
  return jsonReply({ ...review, status: { userInfo: userInfo(request.user) } }, 201);
}

/** `authentication/v1.UserInfo` */
export function userInfo({ name, uid, groups, extra }: User): JsonObject {
  return {
    username: name,
    ...(uid === undefined ? {} : { uid }),
    groups: [...groups],
    ...(extra === undefined ? {} : { extra: extra as unknown as JsonObject }),
  };
}
