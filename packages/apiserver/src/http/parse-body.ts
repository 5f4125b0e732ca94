import { badRequest, failure, type Json, parseJson } from "@boxship/api";
import { errorMessage } from "@boxship/base";
import { checkShape } from "./check-shape.ts";
import { parseLargeYaml } from "./large-yaml.ts";

/** Shorter texts cannot be deep enough to harm. */
const SHORT = 2000;

/** Longer ones are read in a thread of their own: that takes ten times longer than JSON. */
export const LARGE_YAML = 32 * 1024;

const YAML_TYPES = new Set(["application/yaml", "application/apply-patch+yaml"]);
const JSON_TYPES = new Set([
  // None is told: it is the first that is served.
  "",
  "application/json",
  "application/json-patch+json",
  "application/merge-patch+json",
  "application/strategic-merge-patch+json",
]);

/** The type of a body, without its parameters. */
export function mediaType(header: string | undefined): string {
  return (header ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

/** @throws BadRequest, UnsupportedMediaType */
export async function parseBody(body: Buffer, type: string): Promise<Json> {
  if (!JSON_TYPES.has(type) && !YAML_TYPES.has(type)) {
    throw failure(
      "UnsupportedMediaType",
      `the body of the request was in an unknown format (${type}) - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf`,
    );
  }
  const text = body.toString("utf8");
  // Before anything is made of it: brackets alone would take seconds. What begins otherwise is YAML's to count.
  if (text.length >= SHORT && /^\s*[[{]/.test(text)) checkShape(text);
  try {
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof SyntaxError) || !YAML_TYPES.has(type)) throw asBadRequest(error);
  }
  if (text.length > LARGE_YAML) return await parseLargeYaml(text);
  const { parseYaml } = await import("./parse-yaml.ts");
  return parseYaml(text);
}

function asBadRequest(error: unknown): unknown {
  return error instanceof SyntaxError ? badRequest(`error decoding the body: json: ${errorMessage(error)}`) : error;
}
