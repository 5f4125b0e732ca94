import { isObject, type JsonObject, textAt } from "@boxship/api";
import { loadYaml, toYaml } from "@boxship/api/yaml";
import { errorMessage, InvalidArgument } from "@boxship/base/errors";
import { splitManifests } from "../manifest/manifest.ts";

/** By which an object is again of its template behind the renderer; Helm's name. */
const FILE = "postrenderer.helm.sh/postrender-filename";

/**
 * Sends all objects, hooks as well, through a renderer as one text.
 *
 * @param rendered texts by template
 * @returns the same, changed; what the renderer has made itself has a name of its own
 */
export async function postRendered(
  rendered: ReadonlyMap<string, string>,
  render: (text: string) => Promise<string>,
): Promise<ReadonlyMap<string, string>> {
  const given: string[] = [];
  for (const name of [...rendered.keys()].sort()) {
    for (const object of objectsOf(rendered.get(name) ?? "", name)) given.push(toYaml(withFile(object, name)));
  }
  if (given.length === 0) return rendered;
  const result = new Map<string, string>();
  let unnamed = 0;
  for (const object of objectsOf(await render(given.join("---\n")), "what the post-renderer gave")) {
    const name = textAt(object, "metadata", "annotations", FILE) || `generated-by-postrender-${unnamed++}.yaml`;
    result.set(name, `${result.get(name) ?? ""}---\n${toYaml(withFile(object, undefined))}`);
  }
  return result;
}

function objectsOf(text: string, name: string): readonly JsonObject[] {
  return splitManifests(text).flatMap((content) => {
    try {
      const value = loadYaml(content);
      if (value === null) return [];
      if (isObject(value)) return [value];
    } catch (error) {
      throw new InvalidArgument(`YAML parse error on ${name}: ${errorMessage(error)}`, { cause: error });
    }
    throw new InvalidArgument(`YAML parse error on ${name}: it holds no object`);
  });
}

function withFile(object: JsonObject, name: string | undefined): JsonObject {
  const metadata = isObject(object["metadata"]) ? object["metadata"] : {};
  const { [FILE]: _, ...others } = isObject(metadata["annotations"]) ? metadata["annotations"] : {};
  const annotations = name === undefined ? others : { ...others, [FILE]: name };
  const { annotations: before, ...rest } = metadata;
  const isEmpty = Object.keys(annotations).length === 0 && (before === undefined || name === undefined);
  return { ...object, metadata: isEmpty ? rest : { ...rest, annotations } };
}
