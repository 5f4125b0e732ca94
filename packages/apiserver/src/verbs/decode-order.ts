import { definition, type Json, type KubeObject } from "@boxship/api";
import type { ObjectKind } from "../contract.ts";
import type { ResourceRequest } from "../server-context.ts";
import { decodeObject } from "./decode-object.ts";
import type { WriteOptions } from "./write-options.ts";

/** A body that is no object of the request's kind but an order about one, e.g. a TokenRequest. @throws BadRequest */
export function decodeOrder(
  { warn }: ResourceRequest,
  kind: ObjectKind,
  body: Json,
  fieldValidation: WriteOptions["fieldValidation"],
): KubeObject {
  const schema = definition(kind.definition);
  return decodeObject({ ...kind, schema, custom: false }, body, { fieldValidation, warn });
}
