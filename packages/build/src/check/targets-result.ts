import type { CallResult } from "../contract.ts";
import type { Containerfile } from "../language/index.ts";
import { base64, json, linesOf, optional, stageDescription } from "./call-result.ts";
import { columns } from "./text.ts";

/** `frontend.targets`. */
export function targetsResult(file: Containerfile): CallResult {
  const last = file.stages.at(-1);
  const targets = file.stages.map((stage) => ({
    ...optional("name", stage.name),
    ...(stage === last ? { default: true } : {}),
    ...optional("description", stageDescription(stage)),
    base: stage.from.image,
    ...optional("platform", stage.from.platform),
    location: linesOf(stage.from.place),
  }));
  const rows = targets.map(({ name, default: isDefault, description = "" }) => {
    const shown = isDefault === true ? (name === undefined ? "(default)" : `${name} (default)`) : (name ?? "");
    return [shown, description];
  });
  return {
    json: json({ targets, sources: [...file.sources.values()].map(base64) }),
    text: columns([["TARGET", "DESCRIPTION"], ...rows], 1),
    status: 0,
  };
}
