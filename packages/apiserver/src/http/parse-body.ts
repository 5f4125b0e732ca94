import { badRequest, failure, type Json, parseJson } from "@boxship/api";
import { errorMessage } from "@boxship/base";

/** Shorter texts cannot be deep enough to harm. */
const SHORT = 2000;

/** Levels of nesting that a body may have. */
const DEEPEST = 1000;

const YAML_TYPES = new Set(["application/yaml", "application/apply-patch+yaml"]);
const OTHERS = new Set(["application/vnd.kubernetes.protobuf", "application/cbor", "application/apply-patch+cbor"]);

/** The type of a body, without its parameters. */
export function mediaType(header: string | undefined): string {
  return (header ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

/** @throws BadRequest, UnsupportedMediaType */
export async function parseBody(body: Buffer, type: string): Promise<Json> {
  if (OTHERS.has(type)) {
    throw failure(
      "UnsupportedMediaType",
      `the body of the request was in an unknown format (${type}) - accepted media types include: application/json, application/yaml`,
    );
  }
  const text = body.toString("utf8");
  // Before anything is made of it: brackets alone would take seconds. What begins otherwise is YAML's to count.
  if (/^\s*[[{]/.test(text)) checkDepth(text);
  try {
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof SyntaxError) || !YAML_TYPES.has(type)) throw asBadRequest(error);
  }
  const { parseYaml } = await import("./parse-yaml.ts");
  return parseYaml(text);
}

function asBadRequest(error: unknown): unknown {
  return error instanceof SyntaxError ? badRequest(`error decoding the body: json: ${errorMessage(error)}`) : error;
}

/** Deeper values would overflow the stack of whoever walks over them. */
function checkDepth(text: string): void {
  if (text.length < SHORT) return;
  let [depth, deepest] = [0, 0];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) {
      for (at++; at < text.length && text.charCodeAt(at) !== 0x22; at++) if (text.charCodeAt(at) === 0x5c) at++;
    } else if (code === 0x7b || code === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (code === 0x7d || code === 0x5d) depth--;
  }
  if (deepest > DEEPEST) throw badRequest("error decoding the body: exceeded max depth");
}
