import type { Turns } from "@boxship/base";

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
  const held = own.map((rule) => heldBy(rule));
  return wanted.flatMap((rule) => [...singles(rule)]).filter((single) => !held.some((one) => coversWhole(one, single)));
}

/** Comparisons of rules before others have a turn. */
const TURN = 20_000;

/**
 * Whether rules allow all that others would: each single thing of these must be allowed by one of those. A rule of a few
 * kilobytes may stand for millions of single things: it ends at the first that is not allowed, and gives way now and then.
 */
export function* rulesCover(own: readonly PolicyRule[], wanted: readonly PolicyRule[]): Turns<boolean> {
  const held = own.map((rule) => heldBy(rule));
  let left = TURN;
  for (const rule of wanted) {
    left -= held.length + sizeOf(rule);
    if (left <= 0) {
      yield undefined;
      left = TURN;
    }
    if (held.some((one) => coversWhole(one, rule))) continue;
    for (const single of singles(rule)) {
      left -= held.length;
      if (left <= 0) {
        yield undefined;
        left = TURN;
      }
      if (!held.some((one) => coversWhole(one, single))) return false;
    }
  }
  return true;
}

const sizeOf = ({ verbs, nonResourceURLs, apiGroups, resources, resourceNames }: PolicyRule): number =>
  [verbs, nonResourceURLs, apiGroups, resources, resourceNames].reduce((size, list) => size + (list?.length ?? 0), 0);

function* singles(rule: PolicyRule): Generator<PolicyRule> {
  const { nonResourceURLs = [], apiGroups = [], resources = [], resourceNames = [] } = rule;
  const verbs = new Set(rule.verbs);
  const names = resourceNames.length === 0 ? [undefined] : new Set(resourceNames);
  for (const group of new Set(apiGroups)) {
    for (const resource of new Set(resources)) {
      for (const verb of verbs) {
        for (const name of names) {
          const one = { verbs: [verb], apiGroups: [group], resources: [resource] };
          yield name === undefined ? one : { ...one, resourceNames: [name] };
        }
      }
    }
  }
  for (const url of new Set(nonResourceURLs)) for (const verb of verbs) yield { verbs: [verb], nonResourceURLs: [url] };
}

/** A rule that somebody has, to be looked into again and again. */
interface Held {
  readonly verbs: ReadonlySet<string>;
  readonly groups: ReadonlySet<string>;
  readonly resources: ReadonlySet<string>;
  readonly names: ReadonlySet<string>;
  readonly urls: readonly string[];
}

const heldBy = ({ verbs, apiGroups, resources, resourceNames, nonResourceURLs }: PolicyRule): Held => ({
  verbs: new Set(verbs),
  groups: new Set(apiGroups),
  resources: new Set(resources),
  names: new Set(resourceNames),
  urls: nonResourceURLs ?? [],
});

/** Whether one rule allows all of another. */
function coversWhole({ verbs, groups, resources, names, urls }: Held, rule: PolicyRule): boolean {
  const among = (set: ReadonlySet<string>, wanted: readonly string[] = []): boolean =>
    set.has("*") || wanted.every((one) => set.has(one));
  if (!among(verbs, rule.verbs)) return false;
  const { nonResourceURLs = [], resourceNames = [] } = rule;
  if (!nonResourceURLs.every((url) => urls.some((one) => urlCovers(one, url)))) return false;
  if ((rule.resources ?? []).length === 0 || (rule.apiGroups ?? []).length === 0) return true;
  if (!among(groups, rule.apiGroups)) return false;
  if (names.size > 0 && (resourceNames.length === 0 || !resourceNames.every((one) => names.has(one)))) return false;
  return (
    resources.has("*") || (rule.resources ?? []).every((one) => resources.has(one) || resources.has(everyOther(one)))
  );
}

const urlCovers = (own: string, url: string): boolean =>
  own === "*" || own === url || (own.endsWith("*") && url.startsWith(own.slice(0, -1)));

/** The name of any resource's subresource, or of all resources. */
const everyOther = (resource: string): string => (resource.includes("/") ? `*/${resource.split("/")[1] ?? ""}` : "*");
