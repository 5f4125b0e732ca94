import { decodeProtobuf, failure, type Json, type Kind } from "@boxship/api";
import { PROTOBUF } from "../http/accept.ts";
import { parseBody } from "../http/parse-body.ts";
import type { ResourceRequest } from "../server-context.ts";
import { LARGEST_OBJECT } from "../storage/object-bytes.ts";
import { duplicateFields } from "./duplicate-fields.ts";

export interface ObjectBody {
  readonly body: Json;
  /** Paths of fields that the text had twice. */
  readonly duplicates: readonly string[];
}

/** The object that a request carries, in whichever encoding. @throws BadRequest, UnsupportedMediaType */
export async function readObjectBody(request: ResourceRequest, kind: Kind = request.kind): Promise<ObjectBody> {
  const bytes = await request.body();
  if (request.contentType !== PROTOBUF) {
    const body = await parseBody(bytes, request.contentType);
    request.received?.(body);
    await request.pause?.();
    return { body, duplicates: request.query.get("fieldValidation") === "Ignore" ? [] : duplicateFields(bytes, body) };
  }
  const { definition } = kind.schema;
  if (definition === undefined) {
    throw failure(
      "UnsupportedMediaType",
      "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml",
    );
  }
  const body = decodeProtobuf(definition, bytes, LARGEST_OBJECT);
  request.received?.(body);
  return { body, duplicates: [] };
}

/** A body of another definition than the kind's, e.g. `policy.v1.Eviction`. */
export async function readBodyOf(request: ResourceRequest, definition: string): Promise<Json> {
  return await readAs(request, definition, await request.body());
}

/** The body of a deletion: its options. */
export async function readDeleteOptions(request: ResourceRequest): Promise<Json> {
  const bytes = await request.body();
  return bytes.length === 0 ? {} : await readAs(request, "meta.v1.DeleteOptions", bytes);
}

async function readAs(request: ResourceRequest, definition: string, bytes: Buffer): Promise<Json> {
  const { contentType } = request;
  const body =
    contentType === PROTOBUF ? decodeProtobuf(definition, bytes, LARGEST_OBJECT) : await parseBody(bytes, contentType);
  request.received?.(body);
  return body;
}
