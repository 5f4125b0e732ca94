import { isObject, type Json, type JsonObject, listAt, textAt, valueAt } from "@boxship/api";
import { defineCommand } from "../command.ts";
import { PlainRefusal, Refusal } from "../failure.ts";
import { bool, str } from "../flags.ts";
import type { Mapping } from "../resource/discovery.ts";

const WIDTH = 76;

export const command = defineCommand({
  usage: "TYPE [--recursive=FALSE|TRUE] [--api-version=api-version-group] [-o|--output=plaintext|plaintext-openapiv2]",
  summary: "Get documentation for a resource",
  flags: { "api-version": str(), output: str("plaintext", { short: "o" }), recursive: bool() },
  async run(session, { flags, operands }) {
    const [word, ...others] = operands;
    if (word === undefined) {
      throw new Refusal(
        'You must specify the type of resource to explain. Use "kubectl api-resources" for a complete list of supported resources.',
      );
    }
    if (others.length > 0) throw new Refusal(`We accept only this format: explain RESOURCE`);
    if (flags.output !== "plaintext") throw new Refusal(`-o ${flags.output} is not supported: use plaintext`);
    const mapper = await session.mapper();
    const [type = "", ...path] = word.split(".");
    let mapping: Mapping | undefined = mapper.find(type);
    if (mapping === undefined)
      throw new PlainRefusal(`the server doesn't have a resource type ${JSON.stringify(type)}`);
    if (flags["api-version"] !== "") mapping = mapper.byKind(flags["api-version"], mapping.kind);
    if (mapping === undefined)
      throw new Refusal(`couldn't find resource for ${JSON.stringify(`${flags["api-version"]}, Resource=${type}`)}`);
    const { group, version, kind } = mapping;
    const root = group === "" ? `api/${version}` : `apis/${group}/${version}`;
    const api = await session.api();
    const document = await api.call("GET", `/openapi/v3/${root}`);
    const schemas = valueAt(document, "components", "schemas");
    const found = Object.values(isObject(schemas) ? schemas : {}).find((schema) =>
      listAt(schema, "x-kubernetes-group-version-kind").some(
        (gvk) => textAt(gvk, "group") === group && textAt(gvk, "version") === version && textAt(gvk, "kind") === kind,
      ),
    );
    if (found === undefined)
      throw new Refusal(`GVR (${group}/${version}, Resource=${mapping.resource}) not found in OpenAPI schema`);
    session.io.stdout.write(
      `${group === "" ? "" : `GROUP:      ${group}\n`}KIND:       ${kind}\nVERSION:    ${version}\n\n`,
    );
    session.io.stdout.write(new Explainer(isObject(schemas) ? schemas : {}).explain(found, path, flags.recursive));
  },
});

class Explainer {
  readonly #schemas: JsonObject;

  constructor(schemas: JsonObject) {
    this.#schemas = schemas;
  }

  explain(root: Json, path: readonly string[], recursive: boolean): string {
    let schema = root;
    let field = "";
    let own: Json = root;
    for (const name of path) {
      own = this.#fieldOf(schema, name);
      schema = own;
      field = name;
    }
    const choices = this.#enumOf(own);
    const head = field === "" ? "" : `FIELD: ${field} <${this.#typeOf(own)}>\n${choices === "" ? "\n" : choices}\n`;
    const described = this.#description(own, field !== "");
    const fields = this.#fields(own, recursive ? 1 : 0, new Set());
    const body = fields === "" ? "" : `FIELDS:\n${fields}`;
    const end = described === "<empty>" ? "" : "    \n";
    return `${head}DESCRIPTION:\n${indented(described, "    ")}${end}${body}\n`;
  }

  #enumOf(schema: Json): string {
    const values = listAt(this.#resolve(schema), "enum").map((one) => textAt(one));
    return values.length === 0 ? "" : `ENUM:\n${values.map((one) => `    ${one}\n`).join("")}`;
  }

  #fieldOf(schema: Json, name: string): Json {
    const below = this.#element(schema);
    const found = valueAt(below, "properties", name);
    if (found === undefined) throw new Refusal(`field ${JSON.stringify(name)} does not exist`);
    return found;
  }

  /** What a reference stands for. */
  #resolve(schema: Json): Json {
    const ref = textAt(schema, "$ref") || textAt(listAt(schema, "allOf")[0], "$ref");
    return ref === "" ? schema : (this.#schemas[ref.split("/").at(-1) ?? ""] ?? {});
  }

  /** Through lists and maps to what has fields. */
  #element(schema: Json): Json {
    const resolved = this.#resolve(schema);
    const below = valueAt(resolved, "items") ?? valueAt(resolved, "additionalProperties");
    return isObject(below) ? this.#element(below) : resolved;
  }

  #typeOf(schema: Json): string {
    const ref = textAt(schema, "$ref") || textAt(listAt(schema, "allOf")[0], "$ref");
    if (ref !== "") {
      const resolved = this.#resolve(schema);
      const type = textAt(resolved, "type");
      return type === "" || type === "object"
        ? (ref.split("/").at(-1)?.split(".").at(-1) ?? "")
        : this.#typeOf(resolved);
    }
    const type = textAt(schema, "type");
    const items = valueAt(schema, "items");
    if (type === "array") return `[]${this.#typeOf(items ?? {})}`;
    const values = valueAt(schema, "additionalProperties");
    if (isObject(values)) return `map[string]${this.#typeOf(values)}`;
    if (valueAt(schema, "x-kubernetes-int-or-string") === true) return "IntOrString";
    return type === "" ? "Object" : type === "object" ? "Object" : type;
  }

  #description(schema: Json, isField: boolean): string {
    const own = textAt(schema, "description");
    const element = this.#element(schema);
    const below = textAt(element, "description");
    if (isField && own !== "" && below !== "" && element !== schema) return `${own}\n${below}`;
    return own || below || "<empty>";
  }

  #fields(schema: Json, depth: number, seen: ReadonlySet<Json>): string {
    const element = this.#element(schema);
    const properties = valueAt(element, "properties");
    if (!isObject(properties) || seen.has(element)) return "";
    const required = new Set(listAt(element, "required").map((one) => textAt(one)));
    const indent = "  ".repeat(Math.max(depth, 1));
    return Object.keys(properties)
      .sort()
      .map((name) => {
        const field = properties[name] ?? {};
        const line = `${indent}${name}\t<${this.#typeOf(field)}>${required.has(name) ? " -required-" : ""}\n`;
        if (depth > 0)
          return line + this.#enumLine(field, indent) + this.#fields(field, depth + 1, new Set([...seen, element]));
        const text = textAt(field, "description") || "<no description>";
        return `${line}${this.#enumLine(field, indent)}${indented(text, "    ")}\n`;
      })
      .join("");
  }

  #enumLine(schema: Json, indent: string): string {
    const values = listAt(this.#resolve(schema), "enum").map((one) => textAt(one));
    return values.length === 0
      ? ""
      : `${indent}enum: ${values.slice(0, 4).join(", ")}${values.length > 4 ? ", ...." : ""}\n`;
  }
}

/** Paragraphs in lines of a bearable width, each behind the indent. */
function indented(text: string, indent: string): string {
  const lines: string[] = [];
  for (const paragraph of text.split("\n")) {
    let words: string[] = [];
    let length = 0;
    for (const word of paragraph.split(" ")) {
      if (words.length > 0 && length + word.length > WIDTH) {
        lines.push(words.join(" ").trimEnd());
        words = [];
        length = 0;
      }
      words.push(word);
      length += word.length + 1;
    }
    lines.push(words.join(" ").trimEnd());
  }
  return lines.map((line) => `${indent}${line}\n`).join("");
}
