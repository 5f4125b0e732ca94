import { createHash } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import {
  definitionNames,
  failure,
  isObject,
  type Json,
  type JsonObject,
  type Kind,
  type KindRegistry,
} from "@boxship/api";
import { inTurns, type Turns } from "@boxship/base";
import { documentName, mergeDocument } from "../aggregation/extension-openapi.ts";
import type { ExtensionServers } from "../aggregation/extension-servers.ts";
import { groupsOf, type VersionKinds } from "../discovery/groups.ts";
import { type BytesReply, JSON_TYPE, jsonReply } from "../http/reply.ts";
import { KUBERNETES_VERSION } from "../version.ts";
import { customName, openapiName } from "./openapi-name.ts";
import { openapiProtobuf } from "./openapi-protobuf.ts";
import { pathsOf } from "./paths.ts";
import { type Describe, SchemaDocument } from "./schema-document.ts";

interface Document {
  readonly bytes: Buffer;
  readonly hash: string;
}

const INFO = { title: "Kubernetes", version: KUBERNETES_VERSION.gitVersion };
const V2 = "v2";
const V2_PROTOBUF = "v2 in protobuf";
/** How clients ask for v2 in protobuf: before 1.27 with an @ between this and its version. */
const PROTOBUF_FORM = "application/com.github.proto-openapi.spec.v2";
/** Goes up when documents of the same kinds are made otherwise: clients keep what they have by its hash. */
const FORM = 4;

/** `/openapi/v2` and `/openapi/v3`. Documents are made when somebody asks, and kept as bytes until a kind changes. */
export class OpenapiDocuments {
  readonly #kinds: KindRegistry;
  readonly #extensions: Pick<ExtensionServers, "generation" | "all" | "document">;
  readonly #describe: () => Promise<Describe | undefined>;
  readonly #documents = new Map<string, Promise<Document>>();
  #generation = "";

  /** @param describe is asked for words each time that a document is made */
  constructor(
    kinds: KindRegistry,
    extensions: Pick<ExtensionServers, "generation" | "all" | "document">,
    describe: () => Promise<Describe | undefined>,
  ) {
    this.#kinds = kinds;
    this.#extensions = extensions;
    this.#describe = describe;
  }

  /** @returns undefined for paths that are none of its */
  async reply(
    path: string,
    { "if-none-match": known, accept = "" }: Pick<IncomingHttpHeaders, "if-none-match" | "accept">,
  ): Promise<BytesReply | undefined> {
    const generation = `${this.#kinds.generation} ${this.#extensions.generation}`;
    if (this.#generation !== generation) {
      this.#generation = generation;
      this.#documents.clear();
    }
    if (path === "/openapi/v2")
      return accept.includes(PROTOBUF_FORM)
        ? protobufReply(await this.#document(V2_PROTOBUF))
        : documentReply(await this.#document(V2), known);
    if (path === "/openapi/v3") return await this.#index();
    const name = /^\/openapi\/v3\/(?<name>api\/[^/]+|apis\/[^/]+\/[^/]+)$/.exec(path)?.groups?.["name"];
    if (name === undefined) return undefined;
    if (this.#versions().has(name)) return documentReply(await this.#document(name), known);
    const extension = this.#extensions.all().find((one) => documentName(one) === name);
    if (extension?.documentUrl === undefined) return undefined;
    const document = await this.#extensions.document(extension, extension.documentUrl);
    if (document === undefined) throw failure("ServiceUnavailable", "service unavailable");
    return documentReply(documentOf(await inTurns(jsonParts(document))), known);
  }

  async #index(): Promise<BytesReply> {
    const paths: JsonObject = {};
    for (const [name, { kinds }] of this.#versions()) {
      await inTurns(fingerprintAll(kinds));
      // Of what the document is made from: documents themselves are made when they are asked for.
      const hash = hashOf(JSON.stringify([KUBERNETES_VERSION, FORM, name, kinds.map(fingerprint)]));
      paths[name] = { serverRelativeURL: `/openapi/v3/${name}?hash=${hash}` };
    }
    for (const extension of this.#extensions.all()) {
      const { documentUrl } = extension;
      if (documentUrl === undefined) continue;
      const hash = new URLSearchParams(documentUrl.split("?")[1]).get("hash") ?? hashOf(documentUrl);
      const name = documentName(extension);
      paths[name] = { serverRelativeURL: `/openapi/v3/${name}?hash=${encodeURIComponent(hash)}` };
    }
    return jsonReply({ paths });
  }

  #versions(): ReadonlyMap<string, VersionKinds & { readonly group: string }> {
    const found = new Map<string, VersionKinds & { readonly group: string }>();
    for (const { group, versions } of groupsOf(this.#kinds)) {
      for (const one of versions)
        found.set(group === "" ? `api/${one.version}` : `apis/${group}/${one.version}`, { ...one, group });
    }
    return found;
  }

  #document(name: string): Promise<Document> {
    let document = this.#documents.get(name);
    if (document !== undefined) return document;
    document = this.#make(name);
    this.#documents.set(name, document);
    document.catch(() => this.#documents.delete(name));
    return document;
  }

  async #make(name: string): Promise<Document> {
    const describe = (await this.#describe()) ?? (() => undefined);
    if (name === V2_PROTOBUF) return documentOf(await inTurns(openapiProtobuf(await this.#v2(describe))));
    const document = name === V2 ? await this.#v2(describe) : await this.#v3(name, describe);
    return documentOf(await inTurns(jsonParts(document)));
  }

  async #v3(name: string, describe: Describe): Promise<JsonObject> {
    const schemas = new SchemaDocument("#/components/schemas/", describe);
    const paths: JsonObject = {};
    await inTurns(addKinds(schemas, paths, this.#versions().get(name)?.kinds ?? [], 3));
    return { openapi: "3.0.0", info: INFO, paths, components: { schemas: schemas.schemas } };
  }

  async #v2(describe: Describe): Promise<JsonObject> {
    const schemas = new SchemaDocument("#/definitions/", describe);
    const paths: JsonObject = {};
    await inTurns(addKinds(schemas, paths, [...this.#kinds.all()], 2));
    const document: JsonObject = { swagger: "2.0", info: INFO, paths, definitions: schemas.schemas };
    for (const extension of this.#extensions.all()) {
      const other = await this.#extensions.document(extension, "/openapi/v2");
      if (other !== undefined) mergeDocument(document, other, extension);
    }
    return document;
  }
}

/** A kind of a definition is made anew when that changes. */
const fingerprints = new WeakMap<Kind, string>();

function fingerprint(kind: Kind): string {
  if (!kind.custom) return kind.resource;
  let print = fingerprints.get(kind);
  if (print === undefined) {
    print = hashOf(JSON.stringify([kind.resource, new SchemaDocument("", () => undefined).shape(kind.schema)]));
    fingerprints.set(kind, print);
  }
  return print;
}

function* fingerprintAll(kinds: readonly Kind[]): Turns<void> {
  for (const [index, kind] of kinds.filter((one) => one.custom && !fingerprints.has(one)).entries()) {
    if (index % KINDS === KINDS - 1) yield undefined;
    fingerprint(kind);
  }
}

/** Kinds that are added to a document before others have a turn. */
const KINDS = 4;

function* addKinds(schemas: SchemaDocument, paths: JsonObject, kinds: readonly Kind[], version: 2 | 3): Turns<void> {
  for (const [index, kind] of kinds.entries()) {
    if (index % KINDS === KINDS - 1) yield undefined;
    Object.assign(paths, pathsOf(kind, addKind(schemas, kind), version));
  }
}

/** Adds a kind's schema, and its list's, marked as what they are. @returns a reference to the kind's */
function addKind(schemas: SchemaDocument, kind: Kind): JsonObject {
  const { definition } = kind.schema;
  const reference =
    definition === undefined
      ? schemas.add(customName(kind.group, kind.version, kind.kind), customSchema(schemas, kind))
      : schemas.reference(definition);
  const name = definition === undefined ? customName(kind.group, kind.version, kind.kind) : openapiName(definition);
  mark(schemas, name, kind, kind.kind);
  const list = `${definition}List`;
  if (definition !== undefined && definitionNames().includes(list)) {
    schemas.reference(list);
    mark(schemas, openapiName(list), kind, kind.listKind);
  }
  return reference;
}

function customSchema(schemas: SchemaDocument, kind: Kind): JsonObject {
  const shape = schemas.shape(kind.schema);
  const properties = (shape["properties"] ?? {}) as JsonObject;
  return {
    ...shape,
    properties: {
      apiVersion: { type: "string" },
      kind: { type: "string" },
      ...properties,
      metadata: { allOf: [schemas.reference("meta.v1.ObjectMeta")] },
    },
  };
}

function mark(schemas: SchemaDocument, name: string, { group, version }: Kind, kind: string): void {
  const schema = schemas.schemas[name];
  if (schema !== undefined) schema["x-kubernetes-group-version-kind"] = [{ group, kind, version }];
}

const hashOf = (bytes: string | Buffer): string => createHash("sha256").update(bytes).digest("hex").toUpperCase();

function documentOf(parts: readonly Uint8Array[]): Document {
  const bytes = Buffer.concat(parts);
  return { bytes, hash: hashOf(bytes) };
}

/** Bytes of a document that are written before others have a turn. */
const WRITTEN = 256 * 1024;
/** Members of objects so deep in a document are written one by one: paths, and components' schemas. */
const APART = 2;

/** A document as JSON, in one line. */
function* jsonParts(document: JsonObject): Turns<readonly Uint8Array[]> {
  const parts: Buffer[] = [];
  const pace = { written: 0 };
  yield* writeParts(document, 0, parts, pace);
  parts.push(Buffer.from("\n"));
  return parts;
}

function* writeParts(value: Json, depth: number, parts: Buffer[], pace: { written: number }): Turns<void> {
  if (depth > APART || !isObject(value)) {
    const part = Buffer.from(JSON.stringify(value));
    parts.push(part);
    pace.written += part.length;
    if (pace.written < WRITTEN) return;
    pace.written = 0;
    yield undefined;
    return;
  }
  let before = "{";
  for (const [field, item] of Object.entries(value)) {
    if (item === undefined) continue;
    parts.push(Buffer.from(`${before}${JSON.stringify(field)}:`));
    yield* writeParts(item, depth + 1, parts, pace);
    before = ",";
  }
  parts.push(Buffer.from(before === "{" ? "{}" : "}"));
}

function protobufReply({ bytes, hash }: Document): BytesReply {
  const headers = { etag: `"${hash}-protobuf"`, vary: "Accept-Encoding, Accept" };
  return { status: 200, contentType: `${PROTOBUF_FORM}.v1.0+protobuf`, body: [bytes], headers };
}

function documentReply({ bytes, hash }: Document, known: string | undefined): BytesReply {
  const headers = { etag: `"${hash}"`, vary: "Accept-Encoding, Accept" };
  if (known === headers.etag) return { status: 304, contentType: JSON_TYPE, body: [], headers };
  return { status: 200, contentType: JSON_TYPE, body: [bytes], headers, mayBeYaml: false };
}
