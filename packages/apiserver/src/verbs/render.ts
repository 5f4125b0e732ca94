import {
  apiVersionOf,
  asText,
  badRequest,
  type Column,
  failure,
  invalid,
  type Json,
  type Kind,
  type KubeObject,
  type Status,
  tableOrder,
} from "@boxship/api";
import type { BytesReply } from "../http/reply.ts";
import { JSON_TYPE } from "../http/reply.ts";
import { turnsByBytes } from "../http/take-turns.ts";
import type { ResourceRequest } from "../server-context.ts";
import type { CachedObject } from "../storage/cached-object.ts";
import { ProtobufView } from "./protobuf-view.ts";

export type EventType = "ADDED" | "BOOKMARK" | "DELETED" | "ERROR" | "MODIFIED";

/** How a client sees objects, which are in its version already: whole, as metadata or as rows of a table. */
export interface View {
  /** Equal for views that show the same. */
  readonly id: string;
  readonly contentType: string;
  /** Of watches. */
  readonly streamType: string;
  /** A list's bytes in parts. */
  list(objects: readonly CachedObject[], metadata: ListMetadata): Promise<readonly Uint8Array[]>;
  /** What a watch is told of an object. */
  event(type: EventType, object: CachedObject): Buffer;
  /** What a watch is told that is no object of its kind: bookmarks are of that kind, failures are a Status. */
  note(type: EventType, object: KubeObject | Status): Buffer;
}

export type ListMetadata = Readonly<Record<string, Json>>;

export function viewOf({ kind, accept, query }: ResourceRequest): View {
  if (accept.encoding === "protobuf") return new ProtobufView(kind, accept.form === "metadata");
  return jsonView(kind, accept.form, query);
}

function jsonView(kind: Kind, form: ResourceRequest["accept"]["form"], query: URLSearchParams): JsonView {
  switch (form) {
    case "object":
      return new ObjectView(kind);
    case "metadata":
      return new MetadataView();
    case "table":
      return new TableView(kind, includedObject(query.get("includeObject")));
  }
}

const INCLUDED = ["Metadata", "Object", "None"];

/** @throws BadRequest */
function includedObject(asked: string | null): string {
  if (!asked) return "Metadata";
  if (INCLUDED.includes(asked)) return asked;
  const why = "must be 'Metadata', 'Object', 'None', or empty";
  throw badRequest(`Unable to convert to Table as requested: ${asText(invalid("includeObject", asked, why))}`);
}

const LIST_END = Buffer.from("]}\n");
const COMMA = Buffer.from(",");
const NEWLINE = Buffer.from("\n");

/** One object: JSON, which is turned into whatever else the client wants on its way. */
export function objectReply(
  { kind, accept, query }: ResourceRequest,
  object: CachedObject,
  status: number,
): BytesReply {
  if (accept.parameters.get("as") === METADATA_LIST)
    throw noForm(`you requested ${METADATA_LIST}, but the requested object is not a list (${goType(kind, kind.kind)})`);
  const view = jsonView(kind, accept.form, query);
  return { status, contentType: JSON_TYPE, body: [view.bytes(object), NEWLINE] };
}

const METADATA = "PartialObjectMetadata";
const METADATA_LIST = "PartialObjectMetadataList";

const noForm = (why: string): Error => failure("NotAcceptable", why);

/** A type as Go prints it: of built-in kinds the one that upstream works with. */
function goType({ custom, group }: Kind, name: string): string {
  if (custom) return name.endsWith("List") ? "*unstructured.UnstructuredList" : "*unstructured.Unstructured";
  const place = group === "" || group === "events.k8s.io" ? "core" : group.split(".", 1)[0];
  return `*${place}.${name}`;
}

export async function listReply(
  request: ResourceRequest,
  objects: readonly CachedObject[],
  metadata: ListMetadata,
): Promise<BytesReply> {
  if (request.accept.parameters.get("as") === METADATA) {
    const type = goType(request.kind, request.kind.listKind);
    throw noForm(`you requested ${METADATA}, but the requested object is a list (${type})`);
  }
  const view = viewOf(request);
  const order = request.accept.form === "table" ? tableOrder(request.kind) : undefined;
  const shown = order === undefined ? objects : objects.toSorted((a, b) => order(a.parse(), b.parse()));
  const body = await view.list(shown, metadata);
  const reply: BytesReply = { status: 200, contentType: view.contentType, body };
  if (view.contentType === JSON_TYPE) return reply;
  const { kind, accept, query } = request;
  return { ...reply, json: () => jsonView(kind, accept.form, query).parts(objects, metadata) };
}

/** What views of JSON share: only their objects and the beginnings of their lists are different. */
abstract class JsonView implements View {
  abstract readonly id: string;
  readonly contentType = JSON_TYPE;
  readonly streamType = JSON_TYPE;

  /** JSON of one object by itself. */
  abstract bytes(object: CachedObject): Uint8Array;
  /** The beginning of a list, up to where its first object stands. */
  abstract listHead(metadata: ListMetadata): string;

  /** JSON of one object within a list. */
  item(object: CachedObject): Uint8Array {
    return this.bytes(object);
  }

  parts(objects: readonly CachedObject[], metadata: ListMetadata): readonly Uint8Array[] {
    const parts: Uint8Array[] = [Buffer.from(this.listHead(metadata))];
    for (const [index, object] of objects.entries()) {
      if (index > 0) parts.push(COMMA);
      parts.push(this.item(object));
    }
    parts.push(LIST_END);
    return parts;
  }

  /** In turns: each object is read. */
  async list(objects: readonly CachedObject[], metadata: ListMetadata): Promise<readonly Uint8Array[]> {
    const turn = turnsByBytes();
    const parts: Uint8Array[] = [Buffer.from(this.listHead(metadata))];
    for (const [index, object] of objects.entries()) {
      if (index > 0) parts.push(COMMA);
      parts.push(this.item(object));
      const turned = turn(object.bytes.length);
      if (turned !== undefined) await turned;
    }
    parts.push(LIST_END);
    return parts;
  }

  event(type: EventType, object: CachedObject): Buffer {
    return eventBytes(type, this.bytes(object));
  }

  note(type: EventType, object: KubeObject | Status): Buffer {
    return eventBytes(type, Buffer.from(JSON.stringify(object)));
  }
}

function eventBytes(type: EventType, object: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`{"type":"${type}","object":`), object, Buffer.from("}\n")]);
}

/** Objects as they are: their bytes are the answer. */
class ObjectView extends JsonView {
  readonly id: string = "object";
  readonly #kind: Kind;

  constructor(kind: Kind) {
    super();
    this.#kind = kind;
  }

  bytes(object: CachedObject): Uint8Array {
    return object.bytes;
  }

  /** Nothing is read. */
  override list(objects: readonly CachedObject[], metadata: ListMetadata): Promise<readonly Uint8Array[]> {
    return Promise.resolve(this.parts(objects, metadata));
  }

  listHead(metadata: ListMetadata): string {
    return listHead(this.#kind.listKind, apiVersionOf(this.#kind), metadata);
  }
}

const META = "meta.k8s.io/v1";

const partial = ({ metadata }: KubeObject) => ({ kind: METADATA, apiVersion: META, metadata });

class MetadataView extends JsonView {
  readonly id: string = "metadata";

  bytes(object: CachedObject): Uint8Array {
    return Buffer.from(JSON.stringify(partial(object.parse())));
  }

  listHead(metadata: ListMetadata): string {
    return listHead(METADATA_LIST, META, metadata);
  }
}

/** Rows with cells for people to read. */
class TableView extends JsonView {
  readonly id: string;
  readonly #columns: readonly Column[];
  readonly #include: string;
  readonly #definitions: string;

  constructor({ columns }: Kind, include: string) {
    super();
    this.id = `table ${include}`;
    this.#columns = columns;
    this.#include = include;
    const definitions = columns.map(({ name, type, format = "", description, priority }) => ({
      name,
      type,
      format,
      description,
      priority,
    }));
    this.#definitions = JSON.stringify(definitions);
  }

  bytes(object: CachedObject): Uint8Array {
    const parsed = object.parse();
    const head = this.listHead({ resourceVersion: parsed.metadata.resourceVersion ?? "" });
    return Buffer.from(`${head}${this.#row(parsed)}]}`);
  }

  listHead(metadata: ListMetadata): string {
    return `{"kind":"Table","apiVersion":"${META}","metadata":${JSON.stringify(metadata)},"columnDefinitions":${this.#definitions},"rows":[`;
  }

  override item(object: CachedObject): Uint8Array {
    return Buffer.from(this.#row(object.parse()));
  }

  #row(object: KubeObject): string {
    const now = Date.now();
    const cells = this.#columns.map((column) => column.cell(object, now));
    const included = this.#include === "Object" ? object : this.#include === "None" ? null : partial(object);
    return JSON.stringify({ cells, object: included });
  }
}

function listHead(kind: string, apiVersion: string, metadata: ListMetadata): string {
  return `{"kind":${JSON.stringify(kind)},"apiVersion":${JSON.stringify(apiVersion)},"metadata":${JSON.stringify(metadata)},"items":[`;
}
