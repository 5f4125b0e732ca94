/** Properties as operators have them: nested, described, with lists, maps, defaults, bounds and rules. */
function properties(depth: number): object {
  const text = { type: "string", description: "What this field is for, in about as many words as people write." };
  return {
    name: { ...text, minLength: 1, maxLength: 253, pattern: "^[a-z0-9.-]+$" },
    mode: { ...text, enum: ["Auto", "Manual", "Off"], default: "Auto" },
    replicas: { type: "integer", format: "int32", minimum: 0, maximum: 100, default: 1 },
    size: { anyOf: [{ type: "integer" }, { type: "string" }], "x-kubernetes-int-or-string": true },
    labels: { type: "object", additionalProperties: { type: "string" } },
    list: {
      type: "array",
      items: { type: "object", required: ["key"], properties: { key: text, value: text } },
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["key"],
    },
    ...(depth === 0 ? {} : { nested: { type: "object", properties: properties(depth - 1) } }),
  };
}

/** A definition of the size of an operator's: about 10 KiB. @param index from 0; ten of them share a group */
export function manyCrd(index: number): object {
  const group = `g${Math.floor(index / 10)}.many.example.com`;
  const plural = `widgets${index}`;
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: {
        plural,
        singular: `widget${index}`,
        kind: `Widget${index}`,
        listKind: `Widget${index}List`,
        shortNames: [`w${index}`],
      },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: [{ name: "Mode", type: "string", jsonPath: ".spec.mode" }],
          schema: {
            openAPIV3Schema: {
              type: "object",
              properties: {
                spec: {
                  type: "object",
                  properties: properties(4),
                  "x-kubernetes-validations": [
                    { rule: "self.replicas <= 50 || self.mode == 'Manual'", message: "many replicas are for Manual" },
                  ],
                },
                status: { type: "object", properties: properties(1) },
              },
            },
          },
        },
      ],
    },
  };
}
