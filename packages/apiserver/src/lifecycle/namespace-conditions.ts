import { type Json, listAt, textAt, timestamp } from "@boxship/api";

/** What holds a namespace that is being deleted. */
export interface Remaining {
  /** Objects, by `resource.group` or, of the core group, `resource.`, as upstream writes it. */
  readonly objects: ReadonlyMap<string, number>;
  /** Objects, by the finalizers that they have. */
  readonly finalizers: ReadonlyMap<string, number>;
}

type Told = readonly [type: string, status: "False" | "True", reason: string, message: string];

/** The conditions of a namespace, with those that say what is still in it. */
export function namespaceConditions(present: Json | undefined, remaining: Remaining, now: number): Json[] {
  const before = listAt({ list: present ?? [] }, "list");
  const told = tell(remaining);
  const others = before.filter((one) => !told.some(([type]) => type === textAt(one, "type")));
  const time = timestamp(now);
  return [
    ...others,
    ...told.map(([type, status, reason, message]) => {
      const old = before.find((one) => textAt(one, "type") === type);
      const kept = textAt(old, "status") === status ? textAt(old, "lastTransitionTime") : "";
      return { type, status, reason, message, lastTransitionTime: kept || time };
    }),
  ];
}

function tell({ objects, finalizers }: Remaining): readonly Told[] {
  const counted = (map: ReadonlyMap<string, number>, words: string): string =>
    [...map]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([name, count]) => `${name} ${words} ${count} resource instances`)
      .join(", ");
  return [
    ["NamespaceDeletionDiscoveryFailure", "False", "ResourcesDiscovered", "All resources successfully discovered"],
    [
      "NamespaceDeletionGroupVersionParsingFailure",
      "False",
      "ParsedGroupVersions",
      "All legacy kube types successfully parsed",
    ],
    [
      "NamespaceDeletionContentFailure",
      "False",
      "ContentDeleted",
      "All content successfully deleted, may be waiting on finalization",
    ],
    objects.size === 0
      ? ["NamespaceContentRemaining", "False", "ContentRemoved", "All content successfully removed"]
      : [
          "NamespaceContentRemaining",
          "True",
          "SomeResourcesRemain",
          `Some resources are remaining: ${counted(objects, "has")}`,
        ],
    finalizers.size === 0
      ? [
          "NamespaceFinalizersRemaining",
          "False",
          "ContentHasNoFinalizers",
          "All content-preserving finalizers finished",
        ]
      : [
          "NamespaceFinalizersRemaining",
          "True",
          "SomeFinalizersRemain",
          `Some content in the namespace has finalizers remaining: ${counted(finalizers, "in")}`,
        ],
  ];
}
