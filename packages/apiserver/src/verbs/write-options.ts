import {
  badRequest,
  type FieldError,
  forbiddenField,
  invalid,
  invalidObject,
  type Json,
  notSupported,
  tooLong,
  valueAt,
} from "@boxship/api";
import type { ResourceRequest } from "../server-context.ts";

/** What creates, updates and patches may be told. */
export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldManager: string;
  readonly fieldValidation: "Ignore" | "Warn" | "Strict";
  /** Server-side apply takes fields from other managers. */
  readonly force: boolean;
}

const LONGEST_MANAGER = 128;
const VALIDATIONS = ["Ignore", "Warn", "Strict"] as const;
const UNPRINTABLE = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu;

/** What is true in a query: anything that is there and does not say otherwise, as in upstream's. */
export const isTrue = (value: string | null): boolean => value !== null && !/^(?:false|0)$/i.test(value);

/** @throws Invalid */
export function writeOptions(
  { query, userAgent }: ResourceRequest,
  optionsKind: string,
  isApply = false,
): WriteOptions {
  const manager = query.get("fieldManager") ?? "";
  const errors = [...managerProblems(manager), ...dryRunProblems(query.getAll("dryRun"))];
  const asked = query.get("fieldValidation") || "Warn";
  const fieldValidation = VALIDATIONS.find((known) => known === asked);
  if (fieldValidation === undefined)
    errors.push(notSupported("fieldValidation", asked, ["", "Ignore", "Strict", "Warn"]));
  if (optionsKind === "PatchOptions" && !isApply && query.has("force"))
    errors.unshift(forbiddenField("force", "may not be specified for non-apply patch"));
  if (errors.length > 0) throw invalidObject({ group: "meta.k8s.io", resource: optionsKind }, "", errors);
  return {
    dryRun: query.has("dryRun"),
    fieldManager: manager === "" ? managerOf(userAgent) : manager,
    fieldValidation: fieldValidation ?? "Warn",
    force: isTrue(query.get("force")),
  };
}

function managerProblems(manager: string): FieldError[] {
  const unprintable = [...manager.matchAll(UNPRINTABLE)].map(({ 0: character, index }) => {
    const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
    const place = Buffer.byteLength(manager.slice(0, index));
    return invalid("fieldManager", manager, `invalid character U+${code} (at position ${place})`);
  });
  const isLong = Buffer.byteLength(manager) > LONGEST_MANAGER;
  return [...(isLong ? [tooLong("fieldManager", LONGEST_MANAGER)] : []), ...unprintable];
}

const dryRunProblems = (values: readonly Json[]): readonly FieldError[] =>
  values.every((value) => value === "All") ? [] : [notSupported("dryRun", [...values], ["All"])];

/** Who did not name itself is named after its program. */
function managerOf(userAgent: string): string {
  return userAgent.split("/", 1)[0]?.slice(0, LONGEST_MANAGER) || "unknown";
}

/** What deletions may be told, by their body or their query. */
export interface DeleteOptions {
  readonly dryRun: boolean;
  /** Seconds. */
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: "Orphan" | "Background" | "Foreground";
  readonly preconditions: { readonly uid?: string; readonly resourceVersion?: string };
}

const POLICIES = ["Foreground", "Background", "Orphan"] as const;

/** @throws Invalid, BadRequest */
export function deleteOptions(query: URLSearchParams, body: Json): DeleteOptions {
  const either = (name: string): Json | undefined => valueAt(body, name) ?? query.get(name) ?? undefined;
  const errors: FieldError[] = [];
  const dryRun = [valueAt(body, "dryRun") ?? query.getAll("dryRun")].flat();
  const policy = either("propagationPolicy");
  const orphan = either("orphanDependents");
  if (policy !== undefined && orphan !== undefined)
    errors.push(invalid("propagationPolicy", policy, "orphanDependents and deletionPropagation cannot be both set"));
  const propagationPolicy = POLICIES.find((known) => known === policy);
  if (policy !== undefined && propagationPolicy === undefined)
    errors.push(notSupported("propagationPolicy", policy, [...POLICIES, "nil"]));
  errors.push(...dryRunProblems(dryRun));
  const grace = either("gracePeriodSeconds");
  const gracePeriodSeconds = grace === undefined ? undefined : Number(grace);
  if (gracePeriodSeconds !== undefined && !Number.isInteger(gracePeriodSeconds)) {
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(grace)}: invalid syntax`);
  }
  if (errors.length > 0) throw invalidObject({ group: "meta.k8s.io", resource: "DeleteOptions" }, "", errors);
  const uid = valueAt(body, "preconditions", "uid");
  const resourceVersion = valueAt(body, "preconditions", "resourceVersion");
  const chosen =
    propagationPolicy ?? (orphan === true || (typeof orphan === "string" && isTrue(orphan)) ? "Orphan" : undefined);
  return {
    dryRun: dryRun.length > 0,
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: Math.max(gracePeriodSeconds, -1) }),
    ...(chosen === undefined ? {} : { propagationPolicy: chosen }),
    preconditions: {
      ...(typeof uid === "string" ? { uid } : {}),
      ...(typeof resourceVersion === "string" ? { resourceVersion } : {}),
    },
  };
}
