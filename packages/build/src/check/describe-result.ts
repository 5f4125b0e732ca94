import type { CallResult } from "../contract.ts";
import { json } from "./call-result.ts";
import { columns } from "./text.ts";

/** The questions about a file that are answered: what each is, what it can be told, what it is answered with. */
const REQUESTS = [
  ["frontend.outline", "List all parameters current build target supports", ["target", "Target build stage"]],
  ["frontend.targets", "List all targets current build supports"],
  ["frontend.lint", "Lint a Dockerfile"],
  ["frontend.subrequests.describe", "List available subrequest types"],
] as const;

/** `frontend.subrequests.describe`. */
export function describeResult(): CallResult {
  const named = (name: string, description = "") => ({ name, description });
  const all = REQUESTS.map(([name, description, option]) => ({
    name,
    version: "1.0.0",
    type: "rpc",
    description,
    opts: option === undefined ? [] : [named(...option)],
    inputs: null,
    metadata: ["result.json", "result.txt", ...(name === "frontend.lint" ? ["result.statuscode"] : [])].map((each) =>
      named(each),
    ),
    refs: null,
  }));
  const rows = all.map(({ name, version, description }) => [name.replace("frontend.", ""), version, description]);
  return { json: json(all), text: columns([["NAME", "VERSION", "DESCRIPTION"], ...rows], 1), status: 0 };
}
