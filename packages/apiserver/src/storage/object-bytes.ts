import { failure, type Kind, type KubeObject, parseJson } from "@boxship/api";
import { Internal } from "@boxship/base";

const encoder = new TextEncoder();

/**
 * How objects lie in the store: as JSON that begins with apiVersion, kind and metadata, without the resourceVersion,
 * which is the revision that the store gives them. It is put in when they are read.
 */
const MARK = Buffer.from('"metadata":{');

/** Furthest that the metadata's beginning can be: group, version and kind are bounded. */
const SEARCHED = 1024;

/**
 * Bytes that an object may have where it is kept: what etcd takes in one request unless it is told otherwise, less the key
 * and what is around it. SQLite takes no more, so that what is in one can move into the other.
 */
export const LARGEST_OBJECT = 1.5 * 2 ** 20 - 4096;

/** An object that neither of the stores would take. */
export const tooLarge = (size: number): Error =>
  failure(
    "RequestEntityTooLarge",
    `Request entity too large: the object has ${size} bytes, of at most ${LARGEST_OBJECT} that are kept of one`,
  );

/** What bytes were made of: as long as they are on their way, nobody has to read them again. */
const sources = new WeakMap<Uint8Array, KubeObject>();

/** The object that these very bytes were made of. */
export const sourceOf = (stored: Uint8Array): KubeObject | undefined => sources.get(stored);

/** @param object is not changed any more */
export function encodeObject(object: KubeObject): Uint8Array {
  const { apiVersion, kind, metadata, ...rest } = object;
  const { resourceVersion: _, ...kept } = metadata;
  const text = JSON.stringify({ apiVersion, kind, metadata: kept, ...rest });
  const bytes = encoder.encode(text);
  sources.set(bytes, object);
  return bytes;
}

/** The object's JSON as clients see it. */
export function withRevision(stored: Uint8Array, revision: number): Buffer {
  const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
  const at = bytes.subarray(0, SEARCHED).indexOf(MARK);
  if (at < 0) throw new Internal("a stored object has no metadata");
  const after = at + MARK.length;
  const inserted = `"resourceVersion":"${revision}",`;
  // Of its own: it is kept for long, and a part of Node's pool would keep all of that, eight kilobytes each.
  const whole = Buffer.allocUnsafeSlow(bytes.length + inserted.length);
  bytes.copy(whole, 0, 0, after);
  whole.write(inserted, after, "latin1");
  bytes.copy(whole, after + inserted.length, after);
  return whole;
}

const API_VERSION = Buffer.from('{"apiVersion":"');

/** The apiVersion that an object's JSON begins with; empty where it begins otherwise. */
export function apiVersionIn(bytes: Buffer): string {
  if (bytes.compare(API_VERSION, 0, API_VERSION.length, 0, API_VERSION.length) !== 0) return "";
  return bytes.toString("latin1", API_VERSION.length, bytes.indexOf('"', API_VERSION.length));
}

export function parseObject(bytes: Buffer): KubeObject {
  return parseJson(bytes.toString("utf8")) as KubeObject;
}

const ROOT = "/registry/";

/** Where a resource's objects are: all of them, those of a namespace, or one. */
export function objectKey({ storageGroup: group, resource, namespaced }: Kind, namespace = "", name = ""): string {
  const collection = `${ROOT}${group === "" ? "core" : group}/${resource}/`;
  if (!namespaced) return `${collection}${name}`;
  return namespace === "" ? collection : `${collection}${namespace}/${name}`;
}

/** The part of a key that all objects of its resource share, ending in `/`; undefined for keys that are no objects'. */
export function collectionOf(key: string): string | undefined {
  if (!key.startsWith(ROOT)) return undefined;
  const slash = key.indexOf("/", key.indexOf("/", ROOT.length) + 1);
  return slash < 0 ? undefined : key.slice(0, slash + 1);
}
