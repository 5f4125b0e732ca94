/** `rbac/v1.PolicyRule`. */
export interface PolicyRule {
  readonly verbs?: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
}

/** What some rules allow and others do not: each a single thing. */
export function uncoveredRules(own: readonly PolicyRule[], wanted: readonly PolicyRule[]): readonly PolicyRule[] {
  return wanted.flatMap(singles).filter((single) => !own.some((one) => covers(one, single)));
}

/** Whether rules allow all that others would: each single thing of these must be allowed by one of those. */
export const rulesCover = (own: readonly PolicyRule[], wanted: readonly PolicyRule[]): boolean =>
  uncoveredRules(own, wanted).length === 0;

function singles(rule: PolicyRule): readonly PolicyRule[] {
  const { verbs = [], nonResourceURLs = [], apiGroups = [], resources = [], resourceNames = [] } = rule;
  const names = resourceNames.length === 0 ? [undefined] : resourceNames;
  const found: PolicyRule[] = [];
  for (const group of apiGroups) {
    for (const resource of resources) {
      for (const verb of verbs) {
        for (const name of names) {
          const one = { verbs: [verb], apiGroups: [group], resources: [resource] };
          found.push(name === undefined ? one : { ...one, resourceNames: [name] });
        }
      }
    }
  }
  for (const url of nonResourceURLs) for (const verb of verbs) found.push({ verbs: [verb], nonResourceURLs: [url] });
  return found;
}

function covers(own: PolicyRule, single: PolicyRule): boolean {
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
