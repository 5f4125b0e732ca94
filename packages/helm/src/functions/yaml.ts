import { isObject, type Json, parseJson } from "@boxship/api";
import { loadYaml, toYaml as writeYaml } from "@boxship/api/yaml";
import { errorMessage } from "@boxship/base/errors";
import { anyType, stringType, type TemplateFunction, toJson } from "@boxship/template";
import { parseJsonText } from "./encodings.ts";
import { boundText, type Dict, define, putKey } from "./go-values.ts";
import { readToml, writeToml } from "./toml.ts";

/** A value as YAML, with the line's end. */
function yamlOf(value: unknown): string {
  return writeYaml(parseJson(toJson(value, { escapeHtml: true })));
}

const orNothing = (work: (value: unknown) => string) => (value: unknown) => {
  try {
    return work(value);
  } catch {
    // Helm's `to…` functions give nothing where the `must` ones fail.
    return "";
  }
};

export const toYamlText = (value: unknown): string => yamlOf(value).replace(/\n$/, "");

/** Lists are set in by two, as people write them. */
function prettyYaml(value: unknown): string {
  const indent = (json: Json, depth: number): string => {
    if (Array.isArray(json) && json.length > 0) {
      return json.map((item) => `${" ".repeat(depth)}- ${indent(item, depth + 2).trimStart()}`).join("\n");
    }
    if (!isObject(json) || Object.keys(json).length === 0) return " ".repeat(depth) + inline(json, depth);
    return Object.keys(json)
      .map((key) => ({ key, text: writeYaml({ [key]: 0 }).replace(/ 0\n$/, "") }))
      .sort((a, b) => (a.key < b.key ? -1 : 1))
      .map(({ key, text }) => {
        const below = json[key] ?? null;
        const nested = typeof below === "object" && below !== null && Object.keys(below).length > 0;
        return `${" ".repeat(depth)}${text}${nested ? `\n${indent(below, depth + 2)}` : ` ${inline(below, depth + 2)}`}`;
      })
      .join("\n");
  };
  const inline = (json: Json, depth: number): string =>
    writeYaml({ a: json })
      .slice(3)
      .replace(/\n$/, "")
      .replaceAll("\n  ", `\n${" ".repeat(depth)}`);
  return indent(parseJson(toJson(value, { escapeHtml: true })), 0);
}

/** Go reads all numbers of JSON as floats. */
function plainNumbers(json: Json): unknown {
  if (Array.isArray(json)) return json.map(plainNumbers);
  if (typeof json !== "object" || json === null) return json;
  if (!isObject(json)) return Number(json);
  const result: Dict = {};
  for (const key of Object.keys(json)) putKey(result, key, plainNumbers(json[key] ?? null));
  return result;
}

/** YAML as Helm reads it: all numbers are floats. @throws InvalidArgument */
export function readYaml(text: string, options: { readonly name?: string; readonly unique?: boolean } = {}): unknown {
  return plainNumbers(loadYaml(text, options));
}

const typeName = (value: unknown): string =>
  Array.isArray(value) ? "array" : typeof value === "boolean" ? "bool" : typeof value;

const DECODING = "error unmarshaling JSON: while decoding JSON: ";

/** What is wrong stands in the result, under `Error`. */
function fromMap(read: (text: string) => unknown) {
  return (text: string): unknown => {
    try {
      const value = read(text);
      if (value === null) return {};
      if (typeof value === "object" && !Array.isArray(value)) return value;
      throw new Error(
        `${read === parseJsonText ? "" : DECODING}json: cannot unmarshal ${typeName(value)} into Go value of type map[string]interface {}`,
      );
    } catch (error) {
      return { Error: errorMessage(error) };
    }
  };
}

function fromArray(read: (text: string) => unknown) {
  return (text: string): unknown => {
    try {
      const value = read(text);
      if (value === null) return [];
      if (Array.isArray(value)) return value;
      throw new Error(
        `${read === parseJsonText ? "" : DECODING}json: cannot unmarshal ${typeName(value)} into Go value of type []interface {}`,
      );
    } catch (error) {
      return [errorMessage(error)];
    }
  };
}

const text = [stringType];
const yamlText = (value: string): unknown => {
  boundText(value.length);
  try {
    return readYaml(value);
  } catch (error) {
    throw new Error(`error converting YAML to JSON: ${errorMessage(error)}`, { cause: error });
  }
};
const tomlText = (value: unknown): string => {
  try {
    return writeToml(value);
  } catch (error) {
    return errorMessage(error);
  }
};

/** Helm's functions of YAML, JSON and TOML. They hide sprig's of the same names. */
export const formatFunctions: Readonly<Record<string, TemplateFunction>> = {
  toYaml: define([anyType], orNothing(toYamlText)),
  mustToYaml: define([anyType], toYamlText),
  toYamlPretty: define([anyType], orNothing(prettyYaml)),
  fromYaml: define(text, fromMap(yamlText)),
  fromYamlArray: define(text, fromArray(yamlText)),
  fromJson: define(text, fromMap(parseJsonText)),
  fromJsonArray: define(text, fromArray(parseJsonText)),
  toToml: define([anyType], tomlText),
  mustToToml: define([anyType], writeToml),
  fromToml: define(text, fromMap(readToml)),
};
