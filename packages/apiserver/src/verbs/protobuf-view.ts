import {
  apiVersionOf,
  type EncodedField,
  encodeField,
  encodeMessage,
  encodeProtobuf,
  type JsonObject,
  type Kind,
  type KubeObject,
  lengthPrefix,
  messageFor,
  protobufParts,
  type Status,
  wrapProtobuf,
} from "@boxship/api";
import { PROTOBUF } from "../http/accept.ts";
import { turnsByBytes } from "../http/take-turns.ts";
import type { CachedObject } from "../storage/cached-object.ts";
import type { EventType, ListMetadata, View } from "./render.ts";

const META = "meta.k8s.io/v1";
const PARTIAL = "meta.v1.PartialObjectMetadata";
const ITEMS = 2;

/** Objects as items of lists, made once for as long as they are in memory. */
const encoded = new WeakMap<CachedObject, Map<string, EncodedField>>();

/** Built-in kinds as protobuf, or the metadata of any kind. */
export class ProtobufView implements View {
  readonly id: string;
  readonly contentType = PROTOBUF;
  readonly streamType = `${PROTOBUF};stream=watch`;
  readonly #message: string;
  readonly #type: { readonly apiVersion: string; readonly kind: string };

  constructor(kind: Kind, metadataOnly: boolean) {
    this.id = metadataOnly ? "protobuf metadata" : "protobuf";
    this.#message = metadataOnly ? PARTIAL : (kind.schema.definition ?? "");
    this.#type = metadataOnly
      ? { apiVersion: META, kind: "PartialObjectMetadata" }
      : { apiVersion: apiVersionOf(kind), kind: kind.kind };
  }

  async list(objects: readonly CachedObject[], metadata: ListMetadata): Promise<readonly Uint8Array[]> {
    const parts: Uint8Array[] = [encodeMessage(`${this.#message}List`, { metadata })];
    const turn = turnsByBytes();
    for (const object of objects) {
      const turned = this.#isKnown(object) ? undefined : turn(object.bytes.length);
      if (turned !== undefined) await turned;
      parts.push(this.#encoded(object).field);
    }
    const { apiVersion, kind } = this.#type;
    return protobufParts({ apiVersion, kind: `${kind}List` }, parts);
  }

  event(type: EventType, object: CachedObject): Buffer {
    return frame(type, wrapProtobuf(this.#type, this.#encoded(object).message));
  }

  note(type: EventType, object: KubeObject | Status): Buffer {
    const message = type === "ERROR" ? messageFor(object) : this.#message;
    const named = type === "ERROR" ? (object as JsonObject) : { ...(object as JsonObject), ...this.#type };
    return frame(type, encodeProtobuf(message ?? "", named));
  }

  #isKnown(object: CachedObject): boolean {
    return encoded.get(object)?.has(this.#message) === true;
  }

  #encoded(object: CachedObject): EncodedField {
    let forms = encoded.get(object);
    if (forms === undefined) encoded.set(object, (forms = new Map<string, EncodedField>()));
    let form = forms.get(this.#message);
    if (form === undefined) forms.set(this.#message, (form = encodeField(ITEMS, this.#message, object.parse())));
    return form;
  }
}

/** A `meta.v1.WatchEvent` with its length before it, in four bytes. */
function frame(type: EventType, object: Buffer): Buffer {
  const name = Buffer.from(type);
  const raw = Buffer.concat([lengthPrefix(1, object.length), object]);
  const event = Buffer.concat([lengthPrefix(1, name.length), name, lengthPrefix(2, raw.length), raw]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(event.length);
  return Buffer.concat([length, event]);
}
