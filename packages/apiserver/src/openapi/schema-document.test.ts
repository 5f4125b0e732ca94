import assert from "node:assert/strict";
import { test } from "node:test";
import { definition, definitionNames, enumerationOf } from "@boxship/api";
import { SchemaDocument } from "./schema-document.ts";

test("values of enumerations stand at their fields, at a list's items and at a map's values", () => {
  const document = new SchemaDocument("#/", () => undefined);
  document.reference("core.v1.PersistentVolumeClaim");
  document.reference("networking.v1.HTTPIngressPath");
  const fieldsOf = (name: string) => (document.schemas[`io.k8s.api.${name}`]?.["properties"] ?? {}) as object;
  const claim = fieldsOf("core.v1.PersistentVolumeClaimSpec");
  const modes = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
  assert.deepEqual(
    Object.entries(claim).filter(([name]) => name.endsWith("Mode") || name.endsWith("Modes")),
    [
      ["accessModes", { type: "array", items: { type: "string", enum: modes }, "x-kubernetes-list-type": "atomic" }],
      ["volumeMode", { type: "string", enum: ["Block", "Filesystem"], default: "Filesystem" }],
    ],
  );
  const status = new Map<string, unknown>(Object.entries(fieldsOf("core.v1.PersistentVolumeClaimStatus")));
  const values = [
    "ControllerResizeInProgress",
    "ControllerResizeInfeasible",
    "NodeResizeInProgress",
    "NodeResizeInfeasible",
    "NodeResizePending",
  ];
  assert.deepEqual(status.get("allocatedResourceStatuses"), {
    type: "object",
    additionalProperties: { type: "string", enum: values },
    "x-kubernetes-map-type": "granular",
  });
});

test("every enumeration is of a text that there is", () => {
  const found = definitionNames().flatMap((name) =>
    [...(definition(name).properties ?? [])].filter(([field]) => enumerationOf(name, field) !== undefined),
  );
  assert.equal(found.length, 96);
  for (const [field, schema] of found)
    assert.equal((schema.items ?? schema.additional ?? schema).type, "string", field);
});
