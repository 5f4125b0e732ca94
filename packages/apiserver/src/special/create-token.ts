import {
  badRequest,
  conflict,
  type FieldError,
  invalid,
  invalidObject,
  isObject,
  type JsonObject,
  type KubeObject,
  listAt,
  notFound,
  textAt,
  timestamp,
  valueAt,
} from "@boxship/api";
import type { ObjectKind } from "../contract.ts";
import { jsonReply, type Reply } from "../http/reply.ts";
import type { ResourceRequest, ServerContext } from "../server-context.ts";
import { builtinKind, readObject } from "../storage/read-objects.ts";
import type { Bound } from "../tokens/service-account-tokens.ts";
import { admitOrder } from "../verbs/admit.ts";
import { decodeOrder } from "../verbs/decode-order.ts";
import { readBodyOf } from "../verbs/read-object-body.ts";
import { writeOptions } from "../verbs/write-options.ts";

const DEFAULT_SECONDS = 3600;
const SHORTEST_SECONDS = 600;
const LONGEST_SECONDS = 2 ** 32;

const TOKEN_REQUEST: ObjectKind = {
  group: "authentication.k8s.io",
  version: "v1",
  kind: "TokenRequest",
  definition: "authentication.v1.TokenRequest",
};

/** `POST` of a TokenRequest: what `kubectl create token` asks for, and every kubelet for its pods. */
export async function createToken(context: ServerContext, request: ResourceRequest): Promise<Reply> {
  const { info } = request;
  const { dryRun, fieldValidation } = writeOptions(request, "CreateOptions");
  const body = await readBodyOf(request, TOKEN_REQUEST.definition);
  const value = decodeOrder(request, TOKEN_REQUEST, body, fieldValidation);
  checkRequest(request, value);
  const account = await readObject(context, "", "serviceaccounts", info);
  if (account === undefined) throw notFound(request.kind, info.name);
  const order: KubeObject = {
    ...value,
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    metadata: { name: info.name, namespace: info.namespace },
  };
  await admitOrder(context, request, { name: info.name, object: order, objectKind: TOKEN_REQUEST, dryRun });
  const asked = listAt(value, "spec", "audiences").map(String);
  const audiences = asked.length === 0 ? [context.tokens.issuer] : asked;
  const seconds = Number(valueAt(value, "spec", "expirationSeconds") ?? DEFAULT_SECONDS);
  const reference = valueAt(value, "spec", "boundObjectRef");
  const bound = isObject(reference) ? await boundObject(context, request, reference) : undefined;
  const issued = await context.tokens.issue({ account, audiences, seconds, ...(bound === undefined ? {} : { bound }) });
  return jsonReply(
    {
      kind: "TokenRequest",
      apiVersion: "authentication.k8s.io/v1",
      metadata: {
        name: info.name,
        namespace: info.namespace,
        creationTimestamp: timestamp(context.clock.now()),
      },
      spec: { audiences, expirationSeconds: seconds, boundObjectRef: reference ?? null },
      // What nobody is to keep is not given out.
      status: { token: dryRun ? "" : issued.token, expirationTimestamp: timestamp(issued.expires) },
    },
    201,
  );
}

function checkRequest({ info }: ResourceRequest, body: JsonObject): void {
  const errors: FieldError[] = [];
  const [name, namespace] = [textAt(body, "metadata", "name"), textAt(body, "metadata", "namespace")];
  if (name !== "" && name !== info.name)
    errors.push(invalid("metadata.name", name, "must match the service account name if specified"));
  if (namespace !== "" && namespace !== info.namespace)
    errors.push(invalid("metadata.namespace", namespace, "must match the service account namespace if specified"));
  const seconds = valueAt(body, "spec", "expirationSeconds");
  if (typeof seconds === "number" && seconds < SHORTEST_SECONDS)
    errors.push(invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes"));
  if (typeof seconds === "number" && seconds > LONGEST_SECONDS)
    errors.push(invalid("spec.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds"));
  if (errors.length > 0) {
    throw invalidObject({ group: "authentication.k8s.io", resource: "TokenRequest" }, info.name, errors);
  }
}

const RESOURCES = { Pod: "pods", Secret: "secrets", Node: "nodes" } as const;

async function boundObject(context: ServerContext, request: ResourceRequest, reference: JsonObject): Promise<Bound> {
  const [apiVersion, kind, name, uid] = ["apiVersion", "kind", "name", "uid"].map((field) => textAt(reference, field));
  if (apiVersion !== "v1" || !(kind === "Pod" || kind === "Secret" || kind === "Node")) {
    throw badRequest(`cannot bind token to object of type ${apiVersion}, Kind=${kind}`);
  }
  const resource = RESOURCES[kind];
  const namespace = kind === "Node" ? "" : request.info.namespace;
  const object = await readObject(context, "", resource, { name: name ?? "", namespace });
  if (object === undefined) throw notFound(builtinKind(context, "", resource), name ?? "");
  if (kind === "Pod" && textAt(object, "spec", "serviceAccountName") !== request.info.name) {
    throw badRequest(
      `cannot bind token for serviceaccount ${JSON.stringify(request.info.name)} to pod running with different serviceaccount name.`,
    );
  }
  if (uid && uid !== object.metadata.uid) {
    throw conflict(
      { group: "", resource: kind },
      name ?? "",
      `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  }
  const node = kind === "Pod" ? await nodeOf(context, object) : undefined;
  return { kind, object, ...(node === undefined ? {} : { node }) };
}

async function nodeOf(context: ServerContext, pod: KubeObject): Promise<KubeObject | undefined> {
  const name = textAt(pod, "spec", "nodeName");
  return name === "" ? undefined : await readObject(context, "", "nodes", { name });
}
