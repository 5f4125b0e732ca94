import {
  apiVersionOf,
  isObject,
  type Json,
  type Kind,
  type KubeObject,
  type Labels,
  listAt,
  matchesLabels,
  parseLabelSelector,
  textAt,
} from "@boxship/api";
import { SYSTEM_USER } from "../../bootstrap/system-user.ts";
import type { AdmissionRequest } from "../../contract.ts";
import type { ServerContext } from "../../server-context.ts";
import { selectorText } from "../../special/selector-text.ts";
import { readObject } from "../../storage/read-objects.ts";

/** What webhooks and policies are about, in `admissionregistration/v1`. */
export interface Matching {
  readonly rules: readonly Json[];
  /** @default none */
  readonly excluded?: readonly Json[];
  readonly namespaceSelector: Json | undefined;
  readonly objectSelector: Json | undefined;
  /** Whether other versions of a resource count as the same. */
  readonly equivalent: boolean;
}

/** What configures admission itself: who breaks it must be able to mend it. */
const NEVER = new Set([
  "mutatingadmissionpolicies",
  "mutatingadmissionpolicybindings",
  "mutatingwebhookconfigurations",
  "validatingadmissionpolicies",
  "validatingadmissionpolicybindings",
  "validatingwebhookconfigurations",
]);

/** Whether a write is nobody's to intercept: the server's own beginnings, and what configures admission. */
export function isExempt({ kind, user }: AdmissionRequest): boolean {
  return user === SYSTEM_USER || (kind.group === "admissionregistration.k8s.io" && NEVER.has(kind.resource));
}

/** @returns the version in which the write matches; undefined where it does not */
export async function matches(
  context: ServerContext,
  request: AdmissionRequest,
  matching: Matching,
): Promise<Kind | undefined> {
  const kind = kindFor(context, request, matching);
  if (kind === undefined) return undefined;
  const { excluded = [] } = matching;
  if (excluded.some((rule) => ruleHolds(rule, request, request.kind))) return undefined;
  const { object, oldObject } = request;
  if (!isEverything(matching.objectSelector)) {
    const labels = [object, oldObject].filter((one) => one !== null).map(({ metadata }) => metadata.labels);
    if (!labels.some((one) => selects(matching.objectSelector, one))) return undefined;
  }
  if (isEverything(matching.namespaceSelector)) return kind;
  const namespace = await namespaceOf(context, request);
  return namespace === undefined || selects(matching.namespaceSelector, namespace.metadata.labels) ? kind : undefined;
}

function kindFor(context: ServerContext, request: AdmissionRequest, { rules, equivalent }: Matching): Kind | undefined {
  const { kind } = request;
  if (rules.some((rule) => ruleHolds(rule, request, kind))) return kind;
  if (!equivalent) return undefined;
  for (const other of context.kinds.all()) {
    if (other.storageGroup !== kind.storageGroup || other.resource !== kind.resource || other === kind) continue;
    if (rules.some((rule) => ruleHolds(rule, request, other))) return other;
  }
  return undefined;
}

function ruleHolds(rule: Json, { operation, subresource, name, namespace }: AdmissionRequest, kind: Kind): boolean {
  const holds = (field: string, value: string): boolean => {
    const list = listAt(rule, field);
    return list.includes("*") || list.includes(value);
  };
  if (!holds("operations", operation) || !holds("apiGroups", kind.group) || !holds("apiVersions", kind.version)) {
    return false;
  }
  const scope = textAt(rule, "scope") || "*";
  const isOfNamespace = namespace !== "" && kind.namespaced;
  if (scope !== "*" && (scope === "Namespaced") !== isOfNamespace) return false;
  const names = listAt(rule, "resourceNames");
  if (names.length > 0 && !names.includes(name)) return false;
  return listAt(rule, "resources").some((one) => {
    const [resource = "", below = ""] = textAt(one).split("/", 2);
    return (resource === "*" || resource === kind.resource) && (below === subresource || below === "*");
  });
}

function isEverything(selector: Json | undefined): boolean {
  return !isObject(selector) || Object.keys(selector).length === 0;
}

function selects(selector: Json | undefined, labels: Labels | undefined): boolean {
  return isEverything(selector) || matchesLabels(parseLabelSelector(selectorText(selector ?? {})), labels);
}

/** A namespace's own labels where it is written itself; none for what is in no namespace. */
export async function namespaceOf(
  context: ServerContext,
  { kind, object, oldObject, namespace }: AdmissionRequest,
): Promise<KubeObject | undefined> {
  if (kind.group === "" && kind.resource === "namespaces") return object ?? oldObject ?? undefined;
  if (!kind.namespaced) return undefined;
  return await readObject(context, "", "namespaces", { name: namespace });
}

/** An object of a request in another version of its kind. */
export async function inVersion<T extends KubeObject | null>(
  { objects }: ServerContext,
  request: AdmissionRequest,
  object: T,
  kind: Kind,
): Promise<T> {
  if (object === null || request.objectKind !== undefined) return object;
  return (await objects.versions.convert(request.kind, object, apiVersionOf(kind))) as T;
}
