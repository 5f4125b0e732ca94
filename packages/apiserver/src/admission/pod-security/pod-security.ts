import {
  deepEqual,
  type FieldError,
  forbidden,
  invalid,
  invalidObject,
  isObject,
  type JsonObject,
  type KubeObject,
  type Labels,
  listAt,
  textAt,
  valueAt,
} from "@boxship/api";
import type { AdmissionPlugin, AdmissionRequest } from "../../contract.ts";
import type { ServerContext } from "../../server-context.ts";
import { builtinKind, readObject } from "../../storage/read-objects.ts";
import { podTemplate } from "../pods.ts";
import { BASELINE, ONLY_BASELINE } from "./baseline-checks.ts";
import { ofVersion, type PodUnderCheck, podUnderCheck, type Violation } from "./pod-under-check.ts";
import { RESTRICTED } from "./restricted-checks.ts";

const LEVELS = ["privileged", "baseline", "restricted"] as const;
type Level = (typeof LEVELS)[number];

interface Policy {
  readonly level: Level;
  /** `latest` or `v1.x`. */
  readonly version: string;
}

const LABEL = "pod-security.kubernetes.io/";
const CHECKED_PODS = 3000;
const PARTS = new Set(["", "ephemeralcontainers", "resize"]);

/** Pods are as safe as their namespace's labels ask for: refused, or let in with a warning. */
export function podSecurity(context: () => ServerContext): AdmissionPlugin {
  return {
    name: "PodSecurity",
    async validate(request) {
      const { kind, operation, object, subresource } = request;
      if (object === null || (operation !== "CREATE" && operation !== "UPDATE")) return;
      if (kind.group === "" && kind.resource === "namespaces" && subresource === "")
        return await checkNamespace(context(), request, object);
      const isPod = kind.group === "" && kind.resource === "pods";
      if (isPod ? !PARTS.has(subresource) || !isSignificant(request) : subresource !== "") return;
      const holder = isPod ? object : podTemplate(kind, object);
      const spec = holder?.["spec"];
      if (!isObject(spec)) return;
      const namespace = await readObject(context(), "", "namespaces", { name: request.namespace });
      const policies = policiesOf(namespace?.metadata.labels);
      const pod = podUnderCheck(holder?.["metadata"], spec);
      const audited = violations(pod, policies.audit);
      if (audited.length > 0)
        request.annotate(
          `${LABEL}audit-violations`,
          `would violate PodSecurity ${shown(policies.audit)}: ${details(audited)}`,
        );
      if (isPod) {
        const { level, version } = policies.enforce;
        request.annotate(`${LABEL}enforce-policy`, `${level}:${version}`);
        enforce(request, pod, policies.enforce);
      }
      const found = violations(pod, policies.warn);
      if (found.length > 0) request.warn(`would violate PodSecurity ${shown(policies.warn)}: ${details(found)}`);
    },
  };
}

function enforce({ kind, name, object }: AdmissionRequest, pod: PodUnderCheck, policy: Policy): void {
  const found = violations(pod, policy);
  if (found.length === 0) return;
  const own = object?.metadata.name || name || object?.metadata.generateName || "";
  throw forbidden(kind, own, `violates PodSecurity ${shown(policy)}: ${details(found)}`);
}

const shown = ({ level, version }: Policy): string => JSON.stringify(`${level}:${version}`);

const details = (found: readonly Violation[]): string =>
  found.map(({ reason, detail }) => (detail === "" ? reason : `${reason} (${detail})`)).join(", ");

function violations(pod: PodUnderCheck, { level, version }: Policy): readonly Violation[] {
  const checks = {
    privileged: [],
    baseline: [...BASELINE, ...ONLY_BASELINE],
    restricted: [...BASELINE, ...RESTRICTED],
  }[level];
  const seen = ofVersion(pod, version);
  return checks.map((check) => check(seen)).filter((found) => found !== undefined);
}

/** What labels say that cannot be understood is restricted. */
function policiesOf(labels: Labels | undefined): {
  readonly audit: Policy;
  readonly enforce: Policy;
  readonly warn: Policy;
} {
  const policy = (mode: string, otherwise: Policy): Policy => {
    const level = labels?.[`${LABEL}${mode}`];
    const version = labels?.[`${LABEL}${mode}-version`] ?? "latest";
    if (level === undefined) return otherwise;
    return {
      level: LEVELS.find((known) => known === level) ?? "restricted",
      version: VERSION.test(version) ? version : "latest",
    };
  };
  const enforced = policy("enforce", { level: "privileged", version: "latest" });
  const levelOf = ({ level }: Policy): number => LEVELS.indexOf(level);
  // Who says nothing of warnings is warned of what would be refused, too, where that is a template.
  const warn = policy(
    "warn",
    levelOf(enforced) > 0 && labels?.[`${LABEL}warn`] === undefined
      ? enforced
      : { level: "privileged", version: "latest" },
  );
  return { audit: policy("audit", { level: "privileged", version: "latest" }), enforce: enforced, warn };
}

const VERSION = /^(latest|v1\.(0|[1-9]\d*))$/;

function isSignificant({ operation, object, oldObject }: AdmissionRequest): boolean {
  if (operation !== "UPDATE") return true;
  const parts = (one: KubeObject | null): JsonObject => {
    const list = (name: string) =>
      listAt(one ?? undefined, "spec", name).map((container) => [
        textAt(container, "name"),
        textAt(container, "image"),
      ]);
    return { a: list("initContainers"), b: list("containers"), c: list("ephemeralContainers") };
  };
  return !deepEqual(parts(object), parts(oldObject));
}

async function checkNamespace(
  context: ServerContext,
  { operation, oldObject, warn, kind }: AdmissionRequest,
  { metadata }: KubeObject,
): Promise<void> {
  const errors = labelErrors(metadata.labels);
  const before = new Set(labelErrors(oldObject?.metadata.labels).map(({ message }) => message));
  // What was wrong before may stay.
  if (errors.some(({ message }) => !before.has(message)))
    throw invalidObject({ group: kind.group, resource: kind.kind }, metadata.name ?? "", errors);
  if (operation !== "UPDATE") return;
  const [now, old] = [policiesOf(metadata.labels).enforce, policiesOf(oldObject?.metadata.labels).enforce];
  if (now.level === "privileged" || deepEqual({ ...now }, { ...old })) return;
  if (now.version === old.version && LEVELS.indexOf(now.level) <= LEVELS.indexOf(old.level)) return;
  for (const line of await existing(context, metadata.name ?? "", now)) warn(line);
}

function labelErrors(labels: Labels | undefined): readonly FieldError[] {
  return ["enforce", "audit", "warn"].flatMap((mode) => {
    const errors: FieldError[] = [];
    const [level, version] = [labels?.[`${LABEL}${mode}`], labels?.[`${LABEL}${mode}-version`]];
    if (level !== undefined && !LEVELS.some((known) => known === level))
      errors.push(invalid(`metadata.labels[${LABEL}${mode}]`, level, `must be one of ${LEVELS.join(", ")}`));
    if (version !== undefined && !VERSION.test(version))
      errors.push(invalid(`metadata.labels[${LABEL}${mode}-version]`, version, 'must be "latest" or "v1.x"'));
    return errors;
  });
}

/** Pods that are there already and would not be let in, by what is wrong with them. */
async function existing(context: ServerContext, namespace: string, policy: Policy): Promise<readonly string[]> {
  const kind = builtinKind(context, "", "pods");
  const cache = await context.objects.freshCache(kind);
  const byReason = new Map<string, string[]>();
  let seen = 0;
  for (const cached of cache.between("", "")) {
    if (!cached.key.includes(`/pods/${namespace}/`)) continue;
    if (++seen > CHECKED_PODS) break;
    const pod = cached.parse();
    const spec = valueAt(pod, "spec");
    const found = isObject(spec) ? violations(podUnderCheck(pod.metadata, spec), policy) : [];
    if (found.length === 0) continue;
    const reasons = found.map(({ reason }) => reason).join(", ");
    byReason.set(reasons, [...(byReason.get(reasons) ?? []), pod.metadata.name ?? ""]);
  }
  if (byReason.size === 0) return [];
  const lines = [...byReason].map(([reasons, [first = "", ...others]]) => {
    const more = others.length === 0 ? "" : ` (and ${others.length} other ${others.length === 1 ? "pod" : "pods"})`;
    return `${first}${more}: ${reasons}`;
  });
  return [
    `existing pods in namespace "${namespace}" violate the new PodSecurity enforce level ${shown(policy)}`,
    ...lines.toSorted(),
  ];
}
