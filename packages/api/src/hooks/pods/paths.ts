import type { Json } from "../../object/json.ts";
import type { Findings } from "../../validation/findings.ts";

const MOST_MODE = 0o777;

export function checkNoBacksteps(found: Findings, field: string, path: string): void {
  if (path.split("/").includes("..")) found.invalid(field, path, "must not contain '..'");
}

/** A path that stays below where it begins. */
export function checkDescending(found: Findings, field: string, path: string): void {
  if (path.startsWith("/")) found.invalid(field, path, "must be a relative path");
  checkNoBacksteps(found, field, path);
}

/** One whose name is not the kubelet's own. */
export function checkOwnPath(found: Findings, field: string, path: string): void {
  checkDescending(found, field, path);
  if (path.startsWith("..") && !path.startsWith("../")) found.invalid(field, path, "must not start with '..'");
}

/** Permissions of a file. */
export function checkMode(found: Findings, field: string, mode: Json | undefined): void {
  if (typeof mode === "number" && (mode < 0 || mode > MOST_MODE))
    found.invalid(field, mode, "must be a number between 0 and 0777 (octal), both inclusive");
}
