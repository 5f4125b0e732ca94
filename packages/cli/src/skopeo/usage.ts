import type { FlagSet } from "../flags/flag.ts";
import { describeFlags } from "../flags/help.ts";

/** The command was called in a way that only its usage can answer. */
export class UsageError extends Error {
  readonly usage: string;

  constructor(command: string, flags: FlagSet) {
    super("");
    this.usage = describeUsage(command, flags);
  }
}

const OPERANDS: Readonly<Record<string, string>> = {
  copy: "SOURCE-IMAGE DESTINATION-IMAGE",
  delete: "IMAGE-NAME",
  inspect: "IMAGE-NAME",
  "list-tags": "SOURCE-IMAGE",
  login: "REGISTRY",
  logout: "REGISTRY",
  "manifest-digest": "MANIFEST-FILE",
  sync: "--src TRANSPORT --dest TRANSPORT SOURCE DESTINATION",
};

export function describeUsage(command: string, flags: FlagSet): string {
  const operands = OPERANDS[command] ?? "";
  return `Usage:\n  skopeo ${command} [command options] ${operands}\n\nFlags:\n${describeFlags(flags, process.stdout.columns || 120)}`;
}
