import { changeField, type FieldSpec } from "../fields/field-spec.ts";
import { writeEntry, writeScalar } from "../fields/setters.ts";
import type { Texts } from "../kustomization.ts";
import { isSelected } from "../target/gvk.ts";
import type { ResourceMap } from "../target/resource-map.ts";
import { STR } from "../yaml/node.ts";

/** Adds entries to maps of labels or annotations, and makes the maps where the fields say so. */
export function addTexts(map: ResourceMap, texts: Texts, fields: readonly FieldSpec[]): void {
  const names = Object.keys(texts).sort();
  for (const resource of map.resources) {
    for (const name of names) {
      const set = (field: Parameters<typeof writeEntry>[0]): void => writeEntry(field, name, texts[name] ?? "");
      for (const spec of fields) changeField(resource, spec, { set, make: { kind: "mapping", tag: "!!map" } });
    }
  }
}

const UNNAMED: readonly { readonly group: string; readonly kind: string }[] = [
  { group: "", kind: "CustomResourceDefinition" },
  { group: "apiregistration.k8s.io", kind: "APIService" },
  { group: "", kind: "Namespace" },
];

/** Puts a text before or behind names. Kinds whose name means something keep theirs. */
export function addToNames(
  map: ResourceMap,
  text: string,
  place: "prefix" | "suffix",
  fields: readonly FieldSpec[],
): void {
  for (const resource of map.resources) {
    const id = resource.originalId;
    if (UNNAMED.some((one) => isSelected(id.gvk, { ...one, version: "" }))) continue;
    for (const spec of fields) {
      if (!isSelected(id.gvk, spec)) continue;
      if (spec.path === "metadata/name" && text !== "") {
        (place === "prefix" ? resource.prefixes : resource.suffixes).push(text);
        resource.keepId();
      }
      changeField(resource, spec, {
        set: (field) => writeScalar(field, place === "prefix" ? `${text}${field.text}` : `${field.text}${text}`),
        make: { kind: "scalar", tag: STR },
      });
    }
  }
}
