import type { Rule } from "./rule.ts";

/** Whether rules allow all that others would: each single thing of these must be allowed by one of those. */
export function rulesCover(own: readonly Rule[], wanted: readonly Rule[]): boolean {
  return wanted.every((rule) => singles(rule).every((single) => own.some((one) => covers(one, single))));
}

function singles(rule: Rule): readonly Rule[] {
  const { verbs = [], nonResourceURLs, apiGroups = [], resources = [], resourceNames = [] } = rule;
  if (nonResourceURLs !== undefined) {
    return verbs.flatMap((verb) => nonResourceURLs.map((url) => ({ verbs: [verb], nonResourceURLs: [url] })));
  }
  const names = resourceNames.length === 0 ? [undefined] : resourceNames;
  return verbs.flatMap((verb) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) =>
        names.map((name) => ({
          verbs: [verb],
          apiGroups: [group],
          resources: [resource],
          ...(name === undefined ? {} : { resourceNames: [name] }),
        })),
      ),
    ),
  );
}

function covers(own: Rule, single: Rule): boolean {
  const [verb = ""] = single.verbs ?? [];
  if (!has(own.verbs, verb)) return false;
  const [url] = single.nonResourceURLs ?? [];
  if (url !== undefined) {
    return (own.nonResourceURLs ?? []).some(
      (one) => one === "*" || one === url || (one.endsWith("*") && url.startsWith(one.slice(0, -1))),
    );
  }
  const [group = ""] = single.apiGroups ?? [];
  const [resource = ""] = single.resources ?? [];
  const below = resource.includes("/") ? `*/${resource.split("/")[1] ?? ""}` : "*";
  if (!has(own.apiGroups, group) || !(has(own.resources, resource) || own.resources?.includes(below) === true))
    return false;
  const names = own.resourceNames ?? [];
  const [name] = single.resourceNames ?? [];
  return names.length === 0 || (name !== undefined && names.includes(name));
}

const has = (list: readonly string[] | undefined, value: string): boolean =>
  list?.includes("*") === true || list?.includes(value) === true;
