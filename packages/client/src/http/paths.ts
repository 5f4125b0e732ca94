import type { Collection, ObjectRef, Resource } from "../contract.ts";

const segment = (text: string): string => `/${encodeURIComponent(text)}`;

function base({ group, version, resource }: Resource, namespace = ""): string {
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  return `${root}${namespace === "" ? "" : `/namespaces${segment(namespace)}`}${segment(resource)}`;
}

export function collectionPath(collection: Collection): string {
  return base(collection, collection.namespace);
}

export function objectPath(ref: ObjectRef, subresource = ""): string {
  return `${base(ref, ref.namespace)}${segment(ref.name)}${subresource === "" ? "" : segment(subresource)}`;
}

/** `?a=1&b=2` of what is defined, or nothing. */
export function queryOf(values: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value !== undefined) query.set(name, String(value));
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}
