import { changeField, type FieldSpec } from "../fields/field-spec.ts";
import { writeScalar } from "../fields/setters.ts";
import type { Image } from "../kustomization.ts";
import type { ResourceMap } from "../target/resource-map.ts";
import { compileExpression } from "../target/selectors.ts";
import { demandKind } from "../yaml/kind-error.ts";
import { isThere, type Node } from "../yaml/node.ts";

/** Changes an image's name, tag or digest wherever containers stand, and in further fields. */
export function changeImages(map: ResourceMap, image: Image, fields: readonly FieldSpec[]): void {
  const pattern = compileExpression(`^${image.name ?? ""}(:[a-zA-Z0-9_.{}-]*)?(@sha256:[a-zA-Z0-9_.{}-]*)?$`);
  const set = (field: Node): void => {
    demandKind(field, "scalar");
    if (pattern.matcher(field.text).find()) writeScalar(field, changed(field.text, image));
  };
  for (const resource of map.resources)
    if (resource.kind !== "CustomResourceDefinition") inContainers(resource.node, set);
  for (const resource of map.resources) {
    if (resource.kind === "CustomResourceDefinition") continue;
    for (const spec of fields) changeField(resource, spec, { set });
  }
}

function inContainers(node: Node, set: (image: Node) => void): void {
  for (const { key, value } of node.pairs) {
    inContainers(value, set);
    if ((key.text !== "containers" && key.text !== "initContainers") || value.kind !== "sequence") continue;
    for (const container of value.items) {
      if (!isThere(container)) continue;
      demandKind(container, "mapping");
      const image = container.get("image");
      if (image !== undefined) set(image);
    }
  }
  for (const item of node.items) inContainers(item, set);
}

function changed(text: string, { newName = "", newTag = "", digest = "", tagSuffix = "" }: Image): string {
  let [name, tag, sum] = splitImage(text);
  if (newName !== "") name = newName;
  if (newTag !== "" && digest !== "") [tag, sum] = [newTag, digest];
  else if (newTag !== "") [tag, sum] = [newTag, ""];
  else if (digest !== "") [tag, sum] = ["", digest];
  else if (tagSuffix !== "") [tag, sum] = [`${tag}${tagSuffix}`, ""];
  return `${name}${tag === "" ? "" : `:${tag}`}${sum === "" ? "" : `@${sum}`}`;
}

/** Name, tag and digest. A port of the registry is part of the name. */
export function splitImage(text: string): [name: string, tag: string, digest: string] {
  const slash = Math.max(0, text.indexOf("/"));
  const at = text.indexOf("@", slash);
  const colon = text.indexOf(":", slash);
  if (at < 0 && colon < 0) return [text, "", ""];
  if (at >= 0 && (colon < 0 || at < colon)) return [text.slice(0, at), "", text.slice(at + 1)];
  if (at < 0) return [text.slice(0, colon), text.slice(colon + 1), ""];
  return [text.slice(0, colon), text.slice(colon + 1, at), text.slice(at + 1)];
}
