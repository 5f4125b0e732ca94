import { type KubeObject, listAt, textAt } from "@boxship/api";
import { type Lines, longTime } from "./lines.ts";

const TITLES = {
  type: "Type",
  status: "Status",
  lastHeartbeatTime: "LastHeartbeatTime",
  lastTransitionTime: "LastTransitionTime",
  reason: "Reason",
  message: "Message",
} as const;

type Field = keyof typeof TITLES;

/** The table of an object's conditions; nothing where it has none. @param gap what stands before each cell's end */
export function writeConditions(lines: Lines, object: KubeObject, fields: readonly Field[], gap = ""): void {
  const all = listAt(object, "status", "conditions");
  if (all.length === 0) return;
  lines.add(0, "Conditions:");
  const titles = fields.map((field) => TITLES[field]);
  lines.add(1, titles.join("\t"));
  lines.add(1, titles.map((title) => "-".repeat(title.length)).join("\t"));
  for (const one of all) {
    const cells = fields.map((field) => {
      const text = textAt(one, field);
      return field.endsWith("Time") ? longTime(text) : text;
    });
    lines.add(1, cells.join(`${gap}\t`));
  }
}
