import { BuildFailure } from "../failure.ts";
import { changeField, type FieldSpec } from "../fields/field-spec.ts";
import { writeScalar } from "../fields/setters.ts";
import type { Replica } from "../kustomization.ts";
import { gvkText, isSelected } from "../target/gvk.ts";
import type { ResourceMap } from "../target/resource-map.ts";
import { INT } from "../yaml/node.ts";

/** Sets how many there are of what has a name. */
export function setReplicas(map: ResourceMap, { name = "", count = 0 }: Replica, fields: readonly FieldSpec[]): void {
  let found = false;
  for (const spec of fields) {
    for (const resource of map.withAnyId((id) => id.name === name && isSelected(id.gvk, spec))) {
      found = true;
      changeField(resource, spec, {
        set: (field) => writeScalar(field, String(count), INT),
        make: { kind: "scalar", tag: INT },
      });
    }
  }
  if (found) return;
  const kinds = fields.map((spec) => gvkText(spec)).join(" ");
  throw new BuildFailure(`resource with name ${name} does not match a config with the following GVK [${kinds}]`);
}
