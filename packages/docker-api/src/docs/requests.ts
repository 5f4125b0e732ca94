import { readFileSync } from "node:fs";
import { join } from "node:path";

/** A schema of OpenAPI 2, as far as requests use it. */
export interface Schema {
  readonly type?: string;
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly allOf?: readonly Schema[];
  readonly $ref?: string;
}

export interface Parameter extends Schema {
  readonly name: string;
  readonly in: "query" | "path" | "header" | "body";
  readonly required?: boolean;
  readonly schema?: Schema;
}

export interface Requests {
  /** By path, then by method in lower case. */
  readonly paths: Readonly<Record<string, Readonly<Record<string, readonly Parameter[]>>>>;
  readonly definitions: Readonly<Record<string, Schema>>;
}

/** What API 1.51 knows of requests: names and types of parameters and bodies. */
export function dockerRequests(): Requests {
  const file = join(import.meta.dirname, "../testdata/requests-1.51.json");
  return JSON.parse(readFileSync(file, "utf8")) as Requests;
}

/** A schema with its reference followed and its parts put together. */
export function resolveSchema(schema: Schema, { definitions }: Requests): Schema {
  const named = schema.$ref?.split("/").at(-1);
  if (named !== undefined) return resolveSchema(definitions[named] ?? {}, { paths: {}, definitions });
  if (schema.allOf === undefined) return schema;
  const parts = schema.allOf.map((part) => resolveSchema(part, { paths: {}, definitions }));
  return {
    type: "object",
    properties: Object.assign({}, ...parts.map(({ properties }) => properties)) as Record<string, Schema>,
  };
}
