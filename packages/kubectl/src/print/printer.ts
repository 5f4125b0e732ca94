import { readFile } from "node:fs/promises";
import { deepCopy, isObject, type Json, type JsonObject, type KubeObject, listAt, textAt } from "@boxship/api";
import { goJson } from "@boxship/api/go-json";
import { toYaml } from "@boxship/api/yaml";
import { errorMessage } from "@boxship/base";
import { parseJson, sprint, Template, valueOf } from "@boxship/template";
import { Refusal, ToldRefusal } from "../failure.ts";
import { JsonPathTemplate } from "./jsonpath.ts";
import { toKyaml } from "./kyaml.ts";

/** Turns objects, one after the other, into text. */
export type Printer = (object: Json) => string;

export interface OutputFlags {
  readonly output: string;
  readonly template: string;
  readonly "allow-missing-template-keys": boolean;
  readonly "show-managed-fields": boolean;
}

const COMMON = [
  "go-template",
  "go-template-file",
  "json",
  "jsonpath",
  "jsonpath-as-json",
  "jsonpath-file",
  "kyaml",
  "name",
  "template",
  "templatefile",
  "yaml",
];

/** @param also formats of the command's own, for the message */
export function unknownFormat(format: string, also: readonly string[] = []): Refusal {
  const allowed = [...COMMON, ...also].sort().join(",");
  return new Refusal(
    `unable to match a printer suitable for the output format ${JSON.stringify(format)}, allowed formats are: ${allowed}`,
  );
}

/** A printer for `-o`, or undefined for a format that is none of those that all commands have. */
export async function formatPrinter(flags: OutputFlags): Promise<Printer | undefined> {
  const [format, ...rest] = flags.output.split("=");
  const given = rest.join("=") || flags.template;
  const clean = (object: Json): Json => (flags["show-managed-fields"] ? object : withoutManagedFields(object));
  switch (format) {
    case "json":
      return (object) => `${goJson(clean(object), "    ")}\n`;
    case "yaml": {
      let count = 0;
      return (object) => `${count++ > 0 ? "---\n" : ""}${toYaml(clean(object))}`;
    }
    case "kyaml":
      return (object) => toKyaml(clean(object));
    case "name":
      return (object) => `${objectName(object as KubeObject)}\n`;
    case "jsonpath":
    case "jsonpath-as-json":
    case "jsonpath-file":
      return jsonPathPrinter(await templateText(format, given), flags, format === "jsonpath-as-json");
    case "template":
    case "templatefile":
    case "go-template":
    case "go-template-file":
      return goTemplatePrinter(await templateText(format, given), flags);
    case "":
    case undefined:
      if (flags.template !== "") return goTemplatePrinter(flags.template, flags);
      return undefined;
    default:
      return undefined;
  }
}

async function templateText(format: string, given: string): Promise<string> {
  if (given === "") throw new Refusal("template format specified but no template given");
  if (!format.endsWith("file")) return given;
  try {
    return await readFile(given, "utf8");
  } catch {
    throw new Refusal(`error reading --template ${given}, open ${given}: no such file or directory\n`);
  }
}

function jsonPathPrinter(text: string, flags: OutputFlags, asJson: boolean): Printer {
  const template = new JsonPathTemplate(text, { allowMissing: flags["allow-missing-template-keys"] });
  return (object) => {
    try {
      if (!asJson) return template.print(object);
      return template
        .find(object)
        .map((found) => `${goJson([...found], "    ")}\n`)
        .join("");
    } catch (error) {
      throw new Refusal(
        `error executing jsonpath ${JSON.stringify(text)}: Error executing template: ${errorMessage(error)}. Printing more information for debugging the template:\n\ttemplate was:\n\t\t${text}\n\tobject given to jsonpath engine was:\n\t\t${goValue(object)}\n\n\n`,
      );
    }
  };
}

/** As Go's `%#v` of plain JSON. */
function goValue(value: Json | undefined): string {
  if (Array.isArray(value)) return `[]interface {}{${value.map(goValue).join(", ")}}`;
  if (!isObject(value)) return value === undefined || value === null ? "interface {}(nil)" : JSON.stringify(value);
  const fields = Object.keys(value).sort();
  return `map[string]interface {}{${fields.map((field) => `${JSON.stringify(field)}:${goValue(value[field])}`).join(", ")}}`;
}

function goTemplatePrinter(text: string, flags: OutputFlags): Printer {
  let template: Template;
  try {
    const missingKey = flags["allow-missing-template-keys"] ? "default" : "error";
    template = new Template("output", { missingKey, functions: { exists, base64decode } }).parse(text);
  } catch (error) {
    throw new Refusal(`error parsing template ${text}, ${errorMessage(error)}\n`);
  }
  return (object) => {
    const data = parseJson(JSON.stringify(object));
    try {
      return template.execute(data);
    } catch (error) {
      const raw = goJson(object);
      throw new ToldRefusal(
        `error executing template ${JSON.stringify(text)}: ${errorMessage(error)}`,
        `Error executing template: ${errorMessage(error)}. Printing more information for debugging the template:\n\ttemplate was:\n\t\t${text}\n\traw data was:\n\t\t${raw}\n\tobject given to template engine was:\n\t\t${sprint([valueOf(data)])}\n\n`,
      );
    }
  };
}

function base64decode(text: string): string {
  return Buffer.from(text, "base64").toString();
}

function exists(item: unknown, ...path: unknown[]): boolean {
  let here = item;
  for (const step of path) {
    if (typeof here !== "object" || here === null) return false;
    here = (here as Record<string, unknown>)[String(step)];
    if (here === undefined) return false;
  }
  return true;
}

/** `deployment.apps/web` */
export function objectName(object: KubeObject): string {
  return `${kindName(object)}/${textAt(object, "metadata", "name")}`;
}

/** `deployment.apps` */
export function kindName({ apiVersion, kind }: { readonly apiVersion: string; readonly kind: string }): string {
  const group = apiVersion.includes("/") ? `.${apiVersion.split("/")[0]}` : "";
  return `${kind.toLowerCase()}${group}`;
}

function withoutManagedFields(object: Json): Json {
  if (!isObject(object)) return object;
  if (Array.isArray(object["items"])) {
    return { ...object, items: listAt(object, "items").map(withoutManagedFields) };
  }
  const { metadata } = object;
  if (!isObject(metadata) || metadata["managedFields"] === undefined) return object;
  const { managedFields: _managedFields, ...rest } = metadata;
  return { ...object, metadata: rest };
}

/** Several objects in one. */
export function listOf(items: readonly Json[]): JsonObject {
  return {
    apiVersion: "v1",
    items: items.map((item) => deepCopy(item)),
    kind: "List",
    metadata: { resourceVersion: "" },
  };
}
