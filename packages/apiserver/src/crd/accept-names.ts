import { isObject, type JsonObject, type KubeObject, listAt, textAt, valueAt } from "@boxship/api";

/** What a definition is served as, and what it is not served as because another of its group was there before. */
export interface AcceptedNames {
  /** `status.acceptedNames`. */
  readonly names: JsonObject;
  /** Of the condition `NamesAccepted`, where a name is taken. */
  readonly conflict?: { readonly reason: string; readonly message: string };
}

/** Names that other definitions of the same group have: of resources in paths and commands, and of kinds. */
interface Taken {
  readonly resources: ReadonlySet<string>;
  readonly kinds: ReadonlySet<string>;
}

/** @param others `acceptedNames` of the other definitions of the group */
function taken(others: readonly JsonObject[]): Taken {
  const resources = others.flatMap((one) => [textAt(one, "plural"), textAt(one, "singular"), ...shortNames(one)]);
  const kinds = others.flatMap((one) => [textAt(one, "kind"), textAt(one, "listKind")]);
  return {
    resources: new Set(resources.filter((name) => name !== "")),
    kinds: new Set(kinds.filter((name) => name !== "")),
  };
}

const shortNames = (names: JsonObject): string[] => listAt(names, "shortNames").map((one) => textAt(one));

/** What a definition asks to be called, with what follows from its kind. */
function requestedNames(crd: KubeObject): JsonObject {
  const names = valueAt(crd, "spec", "names");
  const kind = textAt(names, "kind");
  return {
    ...(isObject(names) ? names : {}),
    singular: textAt(names, "singular") || kind.toLowerCase(),
    listKind: textAt(names, "listKind") || `${kind}List`,
  };
}

const SINGLE = [
  ["plural", "PluralConflict", "resources"],
  ["singular", "SingularConflict", "resources"],
  ["shortNames", "ShortNamesConflict", "resources"],
  ["kind", "KindConflict", "kinds"],
  ["listKind", "ListKindConflict", "kinds"],
] as const;

const used = (name: string): string => `${JSON.stringify(name)} is already in use`;

/**
 * Decides what a definition is called. What it is called already stays its own; of the rest, it gets what nobody else of
 * the group has.
 *
 * @param accepted its `status.acceptedNames`
 * @param others those of the other definitions of the group
 */
export function acceptNames(crd: KubeObject, accepted: JsonObject, others: readonly JsonObject[]): AcceptedNames {
  const wanted = requestedNames(crd);
  const names: JsonObject = { ...accepted };
  const elsewhere = taken(others);
  let conflict: AcceptedNames["conflict"];
  for (const [field, reason, where] of SINGLE) {
    const own = field === "shortNames" ? shortNames(accepted) : [textAt(accepted, field)];
    const asked = field === "shortNames" ? shortNames(wanted) : [textAt(wanted, field)];
    const clashes = asked.filter((name) => !own.includes(name) && elsewhere[where].has(name));
    if (clashes.length > 0) {
      const message = clashes.map(used).join(", ");
      conflict = { reason, message: clashes.length > 1 ? `[${message}]` : message };
    } else if (wanted[field] === undefined) delete names[field];
    else names[field] = wanted[field];
  }
  if (wanted["categories"] === undefined) delete names["categories"];
  else names["categories"] = wanted["categories"];
  return { names, ...(conflict === undefined ? {} : { conflict }) };
}
