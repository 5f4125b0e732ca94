import { badRequest, type Json } from "@boxship/api";
import { loadYaml } from "@boxship/api/yaml";
import { errorMessage } from "@boxship/base";

/** One YAML document as JSON. @throws BadRequest */
export function parseYaml(text: string): Json {
  try {
    return loadYaml(text, { unique: true });
  } catch (error) {
    throw badRequest(`error converting YAML to JSON: ${errorMessage(error)}`);
  }
}
