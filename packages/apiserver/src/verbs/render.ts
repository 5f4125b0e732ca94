import { apiVersionOf, type Column, type Json, type Kind, type KubeObject } from "@boxship/api";
import type { BytesReply } from "../http/reply.ts";
import { JSON_TYPE } from "../http/reply.ts";
import type { ResourceRequest } from "../server-context.ts";
import type { CachedObject } from "../storage/cached-object.ts";

/** How a client sees objects, which are in its version already: whole, as metadata or as rows of a table. */
export interface View {
  /** Equal for views that show the same. */
  readonly id: string;
  /** JSON of one object by itself. */
  bytes(object: CachedObject): Uint8Array;
  /** The beginning of a list, up to where its first object stands. */
  listHead(metadata: Readonly<Record<string, Json>>): string;
  /** JSON of one object within a list. */
  item(object: CachedObject): Uint8Array;
}

export function viewOf({ kind, accept, query }: ResourceRequest): View {
  switch (accept.form) {
    case "object":
      return new ObjectView(kind);
    case "metadata":
      return new MetadataView();
    case "table":
      return new TableView(kind, query.get("includeObject") ?? "Metadata");
  }
}

const LIST_END = Buffer.from("]}\n");
const COMMA = Buffer.from(",");
const NEWLINE = Buffer.from("\n");

/** One object. */
export function objectReply(request: ResourceRequest, object: CachedObject, status: number): BytesReply {
  return { status, contentType: JSON_TYPE, body: [viewOf(request).bytes(object), NEWLINE] };
}

export function listReply(
  request: ResourceRequest,
  objects: readonly CachedObject[],
  metadata: Readonly<Record<string, Json>>,
): BytesReply {
  const view = viewOf(request);
  const body: Uint8Array[] = [Buffer.from(view.listHead(metadata))];
  for (const [index, object] of objects.entries()) {
    if (index > 0) body.push(COMMA);
    body.push(view.item(object));
  }
  body.push(LIST_END);
  return { status: 200, contentType: JSON_TYPE, body };
}

/** Objects as they are: their bytes are the answer. */
class ObjectView implements View {
  readonly id: string = "object";
  readonly #kind: Kind;

  constructor(kind: Kind) {
    this.#kind = kind;
  }

  bytes(object: CachedObject): Uint8Array {
    return object.bytes;
  }

  listHead(metadata: Readonly<Record<string, Json>>): string {
    return listHead(this.#kind.listKind, apiVersionOf(this.#kind), metadata);
  }

  item(object: CachedObject): Uint8Array {
    return object.bytes;
  }
}

const META = "meta.k8s.io/v1";

const partial = ({ metadata }: KubeObject) => ({ kind: "PartialObjectMetadata", apiVersion: META, metadata });

class MetadataView implements View {
  readonly id: string = "metadata";

  bytes(object: CachedObject): Uint8Array {
    return Buffer.from(JSON.stringify(partial(object.parse())));
  }

  listHead(metadata: Readonly<Record<string, Json>>): string {
    return listHead("PartialObjectMetadataList", META, metadata);
  }

  item(object: CachedObject): Uint8Array {
    return this.bytes(object);
  }
}

/** Rows with cells for people to read. */
class TableView implements View {
  readonly id: string;
  readonly #columns: readonly Column[];
  readonly #include: string;
  readonly #definitions: string;

  constructor({ columns }: Kind, include: string) {
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

  listHead(metadata: Readonly<Record<string, Json>>): string {
    return `{"kind":"Table","apiVersion":"${META}","metadata":${JSON.stringify(metadata)},"columnDefinitions":${this.#definitions},"rows":[`;
  }

  item(object: CachedObject): Uint8Array {
    return Buffer.from(this.#row(object.parse()));
  }

  #row(object: KubeObject): string {
    const now = Date.now();
    const cells = this.#columns.map((column) => column.cell(object, now));
    const included = this.#include === "Object" ? object : this.#include === "None" ? null : partial(object);
    return JSON.stringify({ cells, object: included });
  }
}

function listHead(kind: string, apiVersion: string, metadata: Readonly<Record<string, Json>>): string {
  return `{"kind":${JSON.stringify(kind)},"apiVersion":${JSON.stringify(apiVersion)},"metadata":${JSON.stringify(metadata)},"items":[`;
}
