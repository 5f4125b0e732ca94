import { COMMANDS, REFUSED_COMMANDS } from "../command/commands.ts";
import { kustomization, pluginShapes } from "../decode/shapes.ts";
import { COMMAND_REMARKS, FIELD_REMARKS, PLUGIN_REMARKS, type Remark } from "./remarks.ts";

const WORKS: Remark = ["works", ""];

/** The tables of docs/kustomize.md: every field of a kustomization, every builtin plugin, every command. */
export function renderTables(): string {
  const fields = Object.keys(kustomization.fields);
  const plugins = [...new Set([...Object.keys(pluginShapes), ...Object.keys(PLUGIN_REMARKS)])];
  const commands = COMMANDS.map(({ words }) => words);
  refuseStale("field", FIELD_REMARKS, fields);
  refuseStale("command", COMMAND_REMARKS, commands);
  const refused = [...REFUSED_COMMANDS].map(([words, why]) => [words, ["refused", why]] as const);
  return [
    table("Field", fields.toSorted(), (name) => FIELD_REMARKS[name] ?? WORKS),
    table("Builtin plugin", plugins.toSorted(), (name) => PLUGIN_REMARKS[name] ?? WORKS),
    table("Command", [...commands, ...REFUSED_COMMANDS.keys()].toSorted(), (name) => {
      return new Map<string, Remark>(refused).get(name) ?? COMMAND_REMARKS[name] ?? editRemark(name);
    }),
  ].join("\n");
}

/** Edits keep more than the original does. */
const editRemark = (name: string): Remark =>
  name.startsWith("edit ") ? ["works", "what it does not change keeps its text and comments"] : WORKS;

function refuseStale(what: string, remarks: Readonly<Record<string, Remark>>, names: readonly string[]): void {
  const stale = Object.keys(remarks).find((name) => !names.includes(name));
  if (stale !== undefined) throw new Error(`there is a remark on the ${what} ${stale}, which there is not`);
}

function table(head: string, names: readonly string[], remarkOn: (name: string) => Remark): string {
  const rows = names.map((name) => {
    const [status, text] = remarkOn(name);
    return `| \`${name}\` | ${status} | ${text} |`;
  });
  return `| ${head} | | |\n|---|---|---|\n${rows.join("\n")}\n`;
}
