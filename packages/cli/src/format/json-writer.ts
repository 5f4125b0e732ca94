import { errorMessage } from "@boxship/base/errors";
import { parseJson, Template, templateFunctions, typed } from "@boxship/template";
import { Failure } from "../failure.ts";
import { inspectType } from "./inspect-schema.ts";

/**
 * One document as `--format` says: `json` or a template.
 *
 * @param type its name in the inspect schema, undefined for one that is not there
 * @throws Failure with the template's own words
 */
export function formatJson(source: string, json: string, type?: string): string {
  const text = source === "json" ? "{{json .}}" : source;
  let template: Template;
  try {
    template = new Template("", { functions: templateFunctions }).parse(text);
  } catch (error) {
    throw new Failure(`template parsing error: ${errorMessage(error)}`, { status: 64, cause: error });
  }
  try {
    const value = parseJson(json);
    return template.execute(type === undefined ? value : typed(inspectType(type), value));
  } catch (error) {
    throw new Failure(errorMessage(error), { cause: error });
  }
}
