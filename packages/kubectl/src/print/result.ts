import type { KubeObject } from "@boxship/api";
import { PlainRefusal, Refusal } from "../failure.ts";
import { formatPrinter, type OutputFlags, objectName, unknownFormat } from "./printer.ts";

export type DryRun = "none" | "client" | "server";

/** The value of `--dry-run`. */
export function parseDryRun(value: string): DryRun {
  if (value === "none" || value === "client" || value === "server") return value;
  // Without a value: the old way to say it.
  if (value === "unchanged") return "client";
  throw new Refusal(`Invalid dry-run value (${value}). Must be "none", "server", or "client".`);
}

/** Tells what was done with an object. @param operation other words than those that the printer was made with */
export type ResultPrinter = (object: KubeObject, operation?: string) => string;

/** `configmap/one created`, or the object in the format that was asked for. */
export async function resultPrinter(flags: OutputFlags, operation: string, dryRun: DryRun): Promise<ResultPrinter> {
  const suffix = dryRunSuffix(dryRun);
  if (flags.output === "" && flags.template === "") {
    return (object, other = operation) => `${objectName(object)} ${other}${suffix}\n`;
  }
  const print = await formatPrinter(flags);
  if (print === undefined) throw unknownFormat(flags.output);
  return (object) => print(object);
}

export function dryRunSuffix(dryRun: DryRun): string {
  return dryRun === "none" ? "" : dryRun === "client" ? " (dry run)" : " (server dry run)";
}

/** The value of `--validate` as the server is asked. */
export function fieldValidation(value: string): string {
  switch (value) {
    case "true":
    case "strict":
      return "Strict";
    case "warn":
      return "Warn";
    case "false":
    case "ignore":
      return "Ignore";
    default:
      throw new PlainRefusal(
        `error: invalid - validate option ${JSON.stringify(value)}; must be one of: strict (or true), warn, ignore (or false)`,
      );
  }
}
