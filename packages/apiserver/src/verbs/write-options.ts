import { badRequest, type FieldError, invalid, invalidObject, type Json, notSupported, valueAt } from "@boxship/api";
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

/** @throws Invalid */
export function writeOptions({ query, userAgent }: ResourceRequest, optionsKind: string): WriteOptions {
  const errors: FieldError[] = [];
  const dryRun = query.getAll("dryRun").filter((value) => value !== "");
  for (const value of dryRun) if (value !== "All") errors.push(notSupported("dryRun", value, ["All"]));
  const manager = query.get("fieldManager") ?? "";
  if (manager.length > LONGEST_MANAGER) {
    errors.push(invalid("fieldManager", manager, `may not be longer than ${LONGEST_MANAGER} bytes`));
  }
  if (/\p{C}/u.test(manager)) errors.push(invalid("fieldManager", manager, "should only contain printable characters"));
  const asked = query.get("fieldValidation") || "Warn";
  const fieldValidation = VALIDATIONS.find((known) => known === asked);
  if (fieldValidation === undefined) errors.push(notSupported("fieldValidation", asked, VALIDATIONS));
  const force = query.get("force");
  if (force !== null && !["true", "false", "1", "0", ""].includes(force)) {
    throw badRequest(`strconv.ParseBool: parsing ${JSON.stringify(force)}: invalid syntax`);
  }
  if (errors.length > 0) throw invalidObject({ group: "meta.k8s.io", resource: optionsKind }, "", errors);
  return {
    dryRun: dryRun.length > 0,
    fieldManager: manager === "" ? managerOf(userAgent) : manager,
    fieldValidation: fieldValidation ?? "Warn",
    force: force === "true" || force === "1",
  };
}

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

const POLICIES = ["Background", "Foreground", "Orphan"] as const;

/** @throws Invalid, BadRequest */
export function deleteOptions(query: URLSearchParams, body: Json): DeleteOptions {
  const either = (name: string): Json | undefined => valueAt(body, name) ?? query.get(name) ?? undefined;
  const errors: FieldError[] = [];
  const dryRun = [valueAt(body, "dryRun") ?? query.getAll("dryRun")].flat().filter((value) => value !== "");
  for (const value of dryRun) if (value !== "All") errors.push(notSupported("dryRun", value, ["All"]));
  const policy = either("propagationPolicy");
  const propagationPolicy = POLICIES.find((known) => known === policy);
  if (policy !== undefined && propagationPolicy === undefined) {
    errors.push(notSupported("propagationPolicy", policy, [...POLICIES, ""]));
  }
  const orphan = either("orphanDependents");
  const grace = either("gracePeriodSeconds");
  const gracePeriodSeconds = grace === undefined ? undefined : Number(grace);
  if (gracePeriodSeconds !== undefined && !Number.isInteger(gracePeriodSeconds)) {
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(grace)}: invalid syntax`);
  }
  if (errors.length > 0) throw invalidObject({ group: "meta.k8s.io", resource: "DeleteOptions" }, "", errors);
  const uid = valueAt(body, "preconditions", "uid");
  const resourceVersion = valueAt(body, "preconditions", "resourceVersion");
  const chosen = propagationPolicy ?? (orphan === true || orphan === "true" ? "Orphan" : undefined);
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
