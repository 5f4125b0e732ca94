import { compareVersions, type Kind, type KindRegistry } from "@boxship/api";
import type { Extension } from "../aggregation/extension.ts";

export interface GroupVersions {
  readonly group: string;
  /** The preferred one first. */
  readonly versions: readonly VersionKinds[];
}

export interface VersionKinds {
  readonly version: string;
  /** In the order of their plurals. */
  readonly kinds: readonly Kind[];
  /** Who serves it, where that is not this server. */
  readonly extension?: Extension;
}

/** Upstream's order of its own groups, which clients resolve short names by; custom ones follow by name. */
const ORDER = [
  "",
  "apiregistration.k8s.io",
  "apps",
  "events.k8s.io",
  "authentication.k8s.io",
  "authorization.k8s.io",
  "autoscaling",
  "batch",
  "certificates.k8s.io",
  "networking.k8s.io",
  "policy",
  "rbac.authorization.k8s.io",
  "storage.k8s.io",
  "admissionregistration.k8s.io",
  "apiextensions.k8s.io",
  "scheduling.k8s.io",
  "coordination.k8s.io",
  "node.k8s.io",
  "discovery.k8s.io",
  "resource.k8s.io",
  "flowcontrol.apiserver.k8s.io",
];

/** Of groups of custom resources, among those that others serve. */
const CUSTOM_PRIORITY = 1000;

/** All groups with their versions and kinds, in the order of discovery documents. */
export function groupsOf(kinds: KindRegistry, extensions: readonly Extension[] = []): readonly GroupVersions[] {
  const groups = Map.groupBy(kinds.all(), ({ group }) => group);
  const others = Map.groupBy(extensions, ({ group }) => group);
  const rank = (group: string): number => (ORDER.includes(group) ? ORDER.indexOf(group) : ORDER.length);
  const priority = (group: string): number =>
    Math.max(groups.has(group) ? CUSTOM_PRIORITY : 0, ...(others.get(group) ?? []).map((one) => one.groupPriority));
  return [...new Set([...groups.keys(), ...others.keys()])]
    .sort((a, b) => rank(a) - rank(b) || priority(b) - priority(a) || (a < b ? -1 : 1))
    .map((group) => ({
      group,
      versions: [...versionsOf(groups.get(group) ?? []), ...extensionVersions(others.get(group) ?? [])],
    }));
}

function extensionVersions(extensions: readonly Extension[]): readonly VersionKinds[] {
  return extensions
    .toSorted((a, b) => b.versionPriority - a.versionPriority || compareVersions(a.version, b.version))
    .map((extension) => ({ version: extension.version, kinds: [], extension }));
}

function versionsOf(kinds: readonly Kind[]): readonly VersionKinds[] {
  return [...Map.groupBy(kinds, ({ version }) => version)]
    .sort(([a], [b]) => compareVersions(a, b))
    .map(([version, own]) => ({ version, kinds: own.toSorted((a, b) => (a.resource < b.resource ? -1 : 1)) }));
}
