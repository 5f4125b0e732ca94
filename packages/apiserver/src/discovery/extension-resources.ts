import { type Json, type JsonObject, listAt, textAt, valueAt } from "@boxship/api";
import type { Extension } from "../aggregation/extension.ts";

/** What another server tells of itself in an APIResourceList, in the words of aggregated discovery. */
export function extensionResources({ group, version, resources }: Extension): JsonObject[] {
  const responseKind = (one: Json): JsonObject => ({
    group: textAt(one, "group") || group,
    version: textAt(one, "version") || version,
    kind: textAt(one, "kind"),
  });
  const verbs = (one: Json): Json => [...listAt(one, "verbs")];
  return resources
    .filter((one) => !textAt(one, "name").includes("/"))
    .map((one): JsonObject => {
      const name = textAt(one, "name");
      const below = resources
        .filter((other) => textAt(other, "name").startsWith(`${name}/`))
        .map((other) => ({
          subresource: textAt(other, "name").slice(name.length + 1),
          responseKind: responseKind(other),
          verbs: verbs(other),
        }));
      return {
        resource: name,
        responseKind: responseKind(one),
        scope: valueAt(one, "namespaced") === true ? "Namespaced" : "Cluster",
        singularResource: textAt(one, "singularName"),
        verbs: verbs(one),
        ...copied(one, "shortNames"),
        ...copied(one, "categories"),
        ...(below.length === 0 ? {} : { subresources: below }),
      };
    });
}

function copied(one: Json, field: string): JsonObject {
  const values = listAt(one, field);
  return values.length === 0 ? {} : { [field]: [...values] };
}
