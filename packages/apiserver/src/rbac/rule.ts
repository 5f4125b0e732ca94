import type { PolicyRule } from "@boxship/api/rules";
import type { Attributes } from "../contract.ts";

/** Whether a rule allows a request. */
export function ruleAllows(rule: PolicyRule, { verb, path, resource }: Attributes): boolean {
  if (!has(rule.verbs, verb)) return false;
  if (resource === undefined) return (rule.nonResourceURLs ?? []).some((url) => urlMatches(url, path));
  const { group, name, subresource } = resource;
  if (!has(rule.apiGroups, group)) return false;
  const full = subresource === "" ? resource.resource : `${resource.resource}/${subresource}`;
  const names = rule.resources ?? [];
  const matches =
    names.includes("*") || names.includes(full) || (subresource !== "" && names.includes(`*/${subresource}`));
  return (
    matches &&
    (rule.resourceNames === undefined || rule.resourceNames.length === 0 || rule.resourceNames.includes(name))
  );
}

const has = (list: readonly string[] | undefined, value: string): boolean =>
  list?.includes("*") === true || list?.includes(value) === true;

const urlMatches = (url: string, path: string): boolean =>
  url === "*" || url === path || (url.endsWith("*") && path.startsWith(url.slice(0, -1)));
