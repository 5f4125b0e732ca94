import { type Json, type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import type { RequestInfo, User } from "../contract.ts";

/** Where a request belongs. */
export interface Flow {
  readonly schema: string;
  readonly schemaUid: string;
  readonly level: string;
  /** What tells it from other flows of the schema: a user, a namespace, or nothing. */
  readonly distinguisher: string;
}

/** In the order in which they are tried. */
export function inPrecedence(schemas: readonly KubeObject[]): readonly KubeObject[] {
  const precedence = (one: KubeObject): number => Number(valueAt(one, "spec", "matchingPrecedence") ?? 1000);
  return schemas.toSorted(
    (a, b) => precedence(a) - precedence(b) || ((a.metadata.name ?? "") < (b.metadata.name ?? "") ? -1 : 1),
  );
}

export function flowOf(schema: KubeObject, info: RequestInfo, user: User): Flow {
  const by = textAt(schema, "spec", "distinguisherMethod", "type");
  return {
    schema: schema.metadata.name ?? "",
    schemaUid: schema.metadata.uid ?? "",
    level: textAt(schema, "spec", "priorityLevelConfiguration", "name"),
    distinguisher: by === "ByUser" ? user.name : by === "ByNamespace" ? (info.resource?.namespace ?? "") : "",
  };
}

/** Whether one of the schema's rules is about a request. */
export function schemaMatches(schema: KubeObject, info: RequestInfo, user: User): boolean {
  return listAt(schema, "spec", "rules").some(
    (rule) =>
      listAt(rule, "subjects").some((subject) => isSubject(subject, user)) &&
      (info.resource === undefined
        ? listAt(rule, "nonResourceRules").some((one) => isPath(one, info))
        : listAt(rule, "resourceRules").some((one) => isResource(one, info))),
  );
}

function isSubject(subject: Json, { name, groups }: User): boolean {
  switch (textAt(subject, "kind")) {
    case "User": {
      const wanted = textAt(subject, "user", "name");
      return wanted === "*" || wanted === name;
    }
    case "Group": {
      const wanted = textAt(subject, "group", "name");
      return wanted === "*" || groups.includes(wanted);
    }
    case "ServiceAccount": {
      const prefix = `system:serviceaccount:${textAt(subject, "serviceAccount", "namespace")}:`;
      const wanted = textAt(subject, "serviceAccount", "name");
      return wanted === "*" ? name.startsWith(prefix) : name === `${prefix}${wanted}`;
    }
    default:
      return false;
  }
}

const has = (rule: Json, field: string, value: string): boolean =>
  listAt(rule, field).some((one) => one === "*" || one === value);

function isResource(rule: Json, { verb, resource }: RequestInfo): boolean {
  if (resource === undefined || !has(rule, "verbs", verb) || !has(rule, "apiGroups", resource.group)) return false;
  const full = resource.subresource === "" ? resource.resource : `${resource.resource}/${resource.subresource}`;
  if (!has(rule, "resources", full)) return false;
  return resource.namespace === ""
    ? valueAt(rule, "clusterScope") === true
    : has(rule, "namespaces", resource.namespace);
}

function isPath(rule: Json, { verb, path }: RequestInfo): boolean {
  if (!has(rule, "verbs", verb)) return false;
  return listAt(rule, "nonResourceURLs").some((one) => {
    const wanted = textAt(one);
    return wanted === "*" || wanted === path || (wanted.endsWith("/*") && path.startsWith(wanted.slice(0, -1)));
  });
}
