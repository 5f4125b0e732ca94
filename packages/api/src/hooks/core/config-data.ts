import type { KindHooks } from "../../kind/kind.ts";
import { deepEqual, isObject, type Json, setField } from "../../object/json.ts";
import { type KubeObject, textAt, valueAt } from "../../object/kube-object.ts";
import { type Findings, findingsOf } from "../../validation/findings.ts";
import { configKey } from "../../validation/names.ts";

/** Bytes of all values. */
const LARGEST = 2 ** 20;

const bytesOf = (value: Json | undefined): Buffer => Buffer.from(textAt(value), "base64");

/** One after another: of very many, a list of pairs takes longer than looking at them. */
function* entriesOf(object: KubeObject, field: string): Generator<readonly [string, Json | undefined]> {
  const data = object[field];
  if (isObject(data)) for (const key of Object.keys(data)) yield [key, data[key]];
}

/** What cannot be changed any more, and that it cannot. */
function checkFixed(found: Findings, object: KubeObject, old: KubeObject, fields: readonly string[]): void {
  if (old["immutable"] !== true) return;
  const why = "field is immutable when `immutable` is set";
  if (object["immutable"] !== true) found.forbidden("immutable", why);
  for (const field of fields) {
    const [now, before] = [object, old].map((one) => Object.fromEntries(entriesOf(one, field)));
    if (!deepEqual(now, before)) found.forbidden(field, why);
  }
}

/** `core/v1.ConfigMap` */
export const configMap: KindHooks = {
  validatesAll: true,
  validate: (object) =>
    findingsOf((found) => {
      const coded = new Set(entriesOf(object, "binaryData").map(([key]) => key));
      let size = 0;
      for (const [key, value] of entriesOf(object, "data")) {
        found.name(configKey, `data[${key}]`, key);
        if (coded.has(key)) found.invalid(`data[${key}]`, key, "duplicate of key present in binaryData");
        size += Buffer.byteLength(textAt(value));
      }
      for (const [key, value] of entriesOf(object, "binaryData")) {
        found.name(configKey, `binaryData[${key}]`, key);
        size += bytesOf(value).length;
      }
      if (size > LARGEST) found.tooLong("[]", LARGEST);
    }),
  validateUpdate: (object, old) => findingsOf((found) => checkFixed(found, object, old, ["data", "binaryData"])),
};

const ACCOUNT = "kubernetes.io/service-account.name";
/** Types whose value is a JSON object. */
const FILES: Readonly<Record<string, string>> = {
  "kubernetes.io/dockercfg": ".dockercfg",
  "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
};

/** Why a text is no JSON object, nearly in Go's words. */
function jsonProblem(text: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const odd = /Unexpected token '(?<sign>.)'/su.exec((error as Error).message)?.groups?.["sign"];
    return odd === undefined
      ? "unexpected end of JSON input"
      : `invalid character '${odd}' looking for beginning of value`;
  }
  if (value === null || (typeof value === "object" && !Array.isArray(value))) return undefined;
  const type = Array.isArray(value) ? "array" : typeof value === "boolean" ? "bool" : typeof value;
  return `json: cannot unmarshal ${type} into Go value of type map[string]interface {}`;
}

function checkSecretType(found: Findings, object: KubeObject): void {
  const has = (key: string): boolean => valueAt(object, "data", key) !== undefined;
  const needs = (key: string): void => {
    if (!has(key)) found.required(`data[${key}]`);
  };
  const type = textAt(object, "type");
  switch (type) {
    case "kubernetes.io/service-account-token":
      if (!object.metadata.annotations?.[ACCOUNT]) found.required(`metadata.annotations[${ACCOUNT}]`);
      return;
    case "kubernetes.io/dockercfg":
    case "kubernetes.io/dockerconfigjson": {
      const key = FILES[type] ?? "";
      needs(key);
      const problem = has(key) ? jsonProblem(bytesOf(valueAt(object, "data", key)).toString()) : undefined;
      if (problem !== undefined) found.invalid(`data[${key}]`, "<secret contents redacted>", problem);
      return;
    }
    case "kubernetes.io/basic-auth":
      if (!has("username") && !has("password")) ["username", "password"].forEach(needs);
      return;
    case "kubernetes.io/ssh-auth":
      if (textAt(object, "data", "ssh-privatekey") === "") found.required("data[ssh-privatekey]");
      return;
    case "kubernetes.io/tls":
      ["tls.crt", "tls.key"].forEach(needs);
  }
}

/** `core/v1.Secret` */
export const secret: KindHooks = {
  validatesAll: true,
  applyDefaults(object) {
    const plain = object["stringData"];
    if (!isObject(plain)) return;
    const data = isObject(object["data"]) ? object["data"] : {};
    for (const [key, value] of Object.entries(plain))
      setField(data, key, Buffer.from(textAt(value)).toString("base64"));
    object["data"] = data;
    delete object["stringData"];
  },
  validate: (object) =>
    findingsOf((found) => {
      let size = 0;
      for (const [key, value] of entriesOf(object, "data")) {
        found.name(configKey, `data[${key}]`, key);
        size += bytesOf(value).length;
      }
      if (size > LARGEST) found.tooLong("data", LARGEST);
      checkSecretType(found, object);
    }),
  validateUpdate: (object, old) =>
    findingsOf((found) => {
      found.immutable("type", object["type"], old["type"]);
      checkFixed(found, object, old, ["data"]);
    }),
};
