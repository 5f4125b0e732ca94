import {
  apiVersionOf,
  badRequest,
  decode,
  definition,
  isObject,
  type Json,
  type JsonObject,
  type Kind,
  type KubeObject,
  type Mismatch,
} from "@boxship/api";
import { LARGEST_OBJECT } from "../storage/object-bytes.ts";
import type { WriteOptions } from "./write-options.ts";

/** Problems of one body that are told, as upstream has it. */
const MOST_TOLD = 100;

/** Of a kind, what decoding takes. */
export type DecodedKind = Pick<Kind, "custom" | "group" | "kind" | "schema" | "version">;

export interface DecodeOptions {
  readonly fieldValidation: WriteOptions["fieldValidation"];
  /** Fields that occur twice in the body, by path. */
  readonly duplicates?: readonly string[];
  readonly warn: (message: string) => void;
  /** What is thrown where something in the body is wrong. @default BadRequest in the words of creates and updates */
  readonly refuse?: (problem: string, mismatch?: Mismatch) => Error;
}

/**
 * A body as an object of its kind: of the right type, without unknown fields, which are told or refused as the client
 * wants it.
 *
 * @throws BadRequest
 */
export function decodeObject(kind: DecodedKind, body: Json, options: DecodeOptions): KubeObject {
  if (!isObject(body))
    throw badRequest(
      `${cannot(kind)}: json: cannot unmarshal ${jsonType(body)} into Go value of type ${kind.version}.${kind.kind}`,
    );
  checkType(kind, body);
  const { value, unknown, mismatches } = decode(kind.schema, body, {
    dropEmpty: !kind.custom,
    largest: LARGEST_OBJECT,
  });
  const decoded = value as KubeObject;
  if (!isObject(decoded.metadata)) decoded.metadata = {};
  // No entries at all are a wish, not nothing.
  const { managedFields } = (isObject(body["metadata"]) ? body["metadata"] : {}) as KubeObject["metadata"];
  if (Array.isArray(managedFields) && managedFields.length === 0) decoded.metadata.managedFields = [];
  const wrong = kind.custom ? decodeMetadata(decoded) : mismatches;
  const [mismatch] = wrong;
  if (mismatch !== undefined) throw refusal(kind, options)(mismatchText(mismatch), mismatch);
  report(
    kind,
    [
      ...(options.duplicates ?? []).map((path) => `duplicate field ${JSON.stringify(path)}`),
      ...unknown.map((path) => `unknown field ${JSON.stringify(path)}`),
    ],
    options,
  );
  decoded.apiVersion = apiVersionOf(kind);
  decoded.kind = kind.kind;
  return decoded;
}

/** Of custom kinds only the metadata is typed in upstream's sense; the rest is validated. */
function decodeMetadata(object: KubeObject): readonly Mismatch[] {
  const { value, mismatches } = decode(definition("meta.v1.ObjectMeta"), object.metadata, { dropEmpty: true });
  object.metadata = value as KubeObject["metadata"];
  return mismatches.map((one) => ({
    ...one,
    path: `metadata.${one.path}`,
    goField: one.goField.replace(".", ".metadata."),
  }));
}

function checkType(kind: DecodedKind, { apiVersion, kind: name }: JsonObject): void {
  const wanted = apiVersionOf(kind);
  if (apiVersion !== undefined && apiVersion !== null && apiVersion !== "" && apiVersion !== wanted) {
    throw badRequest(
      `the API version in the data (${shown(apiVersion)}) does not match the expected API version (${wanted})`,
    );
  }
  if (name !== undefined && name !== null && name !== "" && name !== kind.kind) {
    throw badRequest(
      `${shown(name)} in version ${JSON.stringify(kind.version)} cannot be handled as a ${kind.kind}: no kind ${JSON.stringify(name)} is registered for this resource`,
    );
  }
}

const shown = (value: Json): string => (typeof value === "string" ? value : JSON.stringify(value));

const refusal = (kind: DecodedKind, { refuse }: DecodeOptions): NonNullable<DecodeOptions["refuse"]> =>
  refuse ?? ((problem) => badRequest(`${cannot(kind)}: ${problem}`));

function report(kind: DecodedKind, problems: readonly string[], options: DecodeOptions): void {
  const { fieldValidation, warn } = options;
  if (problems.length === 0 || fieldValidation === "Ignore") return;
  const told = problems.slice(0, MOST_TOLD);
  if (fieldValidation === "Strict") throw refusal(kind, options)(`strict decoding error: ${told.join(", ")}`);
  for (const problem of told) warn(problem);
}

const cannot = ({ kind, version }: DecodedKind): string =>
  `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}`;

/** In the words of Go's decoder. */
function mismatchText({ wanted, found, problem, goField }: Mismatch): string {
  if (problem !== undefined) return problem;
  const what = typeof found === "number" && wanted.startsWith("int") ? `number ${found}` : jsonType(found);
  return `json: cannot unmarshal ${what} into Go struct field ${goField} of type ${wanted}`;
}

function jsonType(value: Json): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value === "boolean" ? "bool" : typeof value;
}
