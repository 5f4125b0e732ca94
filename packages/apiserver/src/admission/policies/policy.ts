import {
  type Json,
  type Kind,
  type KubeObject,
  listAt,
  matchesLabels,
  parseApiVersion,
  parseLabelSelector,
  textAt,
  valueAt,
} from "@boxship/api";
import type { AdmissionRequest } from "../../contract.ts";
import { turnsByBytes } from "../../http/take-turns.ts";
import type { ServerContext } from "../../server-context.ts";
import { selectorText } from "../../special/selector-text.ts";
import { allObjects } from "../../storage/read-objects.ts";
import { type Matching, matches } from "../matching/match-rules.ts";

const GROUP = "admissionregistration.k8s.io";

/** A policy and one of its bindings that a request is about. */
export interface Bound {
  readonly policy: KubeObject;
  readonly binding: KubeObject;
  /** The version that the policy wants to see. */
  readonly kind: Kind;
  /** What it is to be measured by; null for a policy without parameters. */
  readonly params: readonly (KubeObject | null)[];
  /** Why there are no parameters where there must be some. */
  readonly problem?: string;
}

/** Policies in the order of their names, each with the bindings that match, in the order of theirs. */
export async function boundPolicies(
  context: ServerContext,
  request: AdmissionRequest,
  sort: "mutating" | "validating",
): Promise<readonly Bound[]> {
  const policies = await allObjects(context, GROUP, `${sort}admissionpolicies`);
  if (policies.length === 0) return [];
  const bindings = await allObjects(context, GROUP, `${sort}admissionpolicybindings`);
  const bound: Bound[] = [];
  const turn = turnsByBytes();
  const bindingsOf = byPolicy(bindings);
  for (const policy of byName(policies)) {
    const own = bindingsOf.get(policy.metadata.name ?? "");
    if (own === undefined) continue;
    const turned = turn(MATCHED);
    if (turned !== undefined) await turned;
    const kind = await matches(context, request, matchingOf(valueAt(policy, "spec", "matchConstraints")));
    if (kind === undefined) continue;
    for (const binding of own) {
      const resources = valueAt(binding, "spec", "matchResources");
      if (resources !== undefined && (await matches(context, request, matchingOf(resources))) === undefined) continue;
      bound.push({ policy, binding, kind, ...(await paramsOf(context, request, policy, binding)) });
    }
  }
  return bound;
}

/** Looking whether a policy is about a request costs as much as reading so many bytes of an object. */
const MATCHED = 2048;

/** As long as none of them changes. */
const sorted = new WeakMap<readonly KubeObject[], readonly KubeObject[]>();
const grouped = new WeakMap<readonly KubeObject[], ReadonlyMap<string, readonly KubeObject[]>>();

function byName(objects: readonly KubeObject[]): readonly KubeObject[] {
  let list = sorted.get(objects);
  if (list === undefined) {
    list = objects.toSorted((left, right) => ((left.metadata.name ?? "") < (right.metadata.name ?? "") ? -1 : 1));
    sorted.set(objects, list);
  }
  return list;
}

/** Bindings in the order of their names, by the names of their policies. */
function byPolicy(bindings: readonly KubeObject[]): ReadonlyMap<string, readonly KubeObject[]> {
  let map = grouped.get(bindings);
  if (map === undefined) {
    map = Map.groupBy(byName(bindings), (one) => textAt(one, "spec", "policyName"));
    grouped.set(bindings, map);
  }
  return map;
}

function matchingOf(resources: Json | undefined): Matching {
  const rules = listAt(resources, "resourceRules");
  return {
    // A binding without rules of its own is about all that its policy is about.
    rules: rules.length === 0 ? [EVERYTHING] : rules,
    excluded: listAt(resources, "excludeResourceRules"),
    namespaceSelector: valueAt(resources, "namespaceSelector"),
    objectSelector: valueAt(resources, "objectSelector"),
    equivalent: textAt(resources, "matchPolicy") !== "Exact",
  };
}

const EVERYTHING: Json = { operations: ["*"], apiGroups: ["*"], apiVersions: ["*"], resources: ["*/*"], scope: "*" };

async function paramsOf(
  context: ServerContext,
  request: AdmissionRequest,
  policy: KubeObject,
  binding: KubeObject,
): Promise<Pick<Bound, "params" | "problem">> {
  const wanted = valueAt(policy, "spec", "paramKind");
  const reference = valueAt(binding, "spec", "paramRef");
  if (wanted === undefined || reference === undefined) return { params: [null] };
  const { group = "", version = "" } = parseApiVersion(textAt(wanted, "apiVersion")) ?? {};
  const kind = context.kinds.findKind(group, version, textAt(wanted, "kind"));
  if (kind === undefined) {
    return {
      params: [],
      problem: `failed to find resource referenced by paramKind: '${textAt(wanted, "apiVersion")}, Kind=${textAt(wanted, "kind")}'`,
    };
  }
  const namespace = kind.namespaced ? textAt(reference, "namespace") || request.namespace : "";
  const found = await findParams(context, kind, namespace, reference);
  if (found.length > 0) return { params: found };
  if (textAt(reference, "parameterNotFoundAction") === "Allow") return { params: [] };
  return { params: [], problem: "no params found for policy binding with `Deny` parameterNotFoundAction" };
}

async function findParams(
  { objects }: ServerContext,
  kind: Kind,
  namespace: string,
  reference: Json,
): Promise<readonly KubeObject[]> {
  const name = textAt(reference, "name");
  if (name !== "") {
    const one = await objects.get(kind, namespace, name);
    return one === undefined ? [] : [one.parse()];
  }
  const selector = parseLabelSelector(selectorText(valueAt(reference, "selector") ?? {}));
  const cache = await objects.cache(kind);
  return (await objects.versions.present(kind, [...cache.between("", "")]))
    .map((cached) => cached.parse())
    .filter(({ metadata }) => (metadata.namespace ?? "") === namespace && matchesLabels(selector, metadata.labels));
}

/** The policy's named expressions. */
export function variablesOf(policy: KubeObject): ReadonlyMap<string, string> {
  return new Map(listAt(policy, "spec", "variables").map((one) => [textAt(one, "name"), textAt(one, "expression")]));
}
