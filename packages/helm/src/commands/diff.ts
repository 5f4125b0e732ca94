import { textAt } from "@boxship/api";
import { loadYaml } from "@boxship/api/yaml";
import { valueFlags } from "../cluster-flags.ts";
import { defineCommand } from "../command.ts";
import { bool } from "../flags.ts";
import { splitManifests } from "../manifest/manifest.ts";
import { currentOf } from "../release/actions.ts";
import { actionOptions, openAction } from "../release-flags.ts";
import { chartFlags, renderFlags } from "../render-flags.ts";
import { unifiedDiff } from "../text-diff.ts";
import { planRelease } from "./deploy.ts";

export const command = defineCommand({
  usage: "RELEASE CHART [flags]",
  summary: "Show what an upgrade would change",
  operands: { min: 2, max: 2 },
  flags: {
    ...valueFlags,
    ...chartFlags,
    ...renderFlags,
    "reset-then-reuse-values": bool(),
    "reset-values": bool(),
    "reuse-values": bool(),
    "show-secrets": bool(),
  },
  async run(surroundings, { flags, operands }) {
    const [name = "", reference = ""] = operands;
    const action = await openAction(name, actionOptions({}, surroundings), surroundings);
    const history = await action.storage.list(name);
    const { manifest } = await planRelease(action, reference, history, flags, surroundings);
    const before = objectsOf(currentOf(history)?.manifest ?? "", flags["show-secrets"]);
    const after = objectsOf(manifest, flags["show-secrets"]);
    const names = [...new Set([...before.keys(), ...after.keys()])].sort();
    const texts = names.map((one) => unifiedDiff(before.get(one) ?? "", after.get(one) ?? "", one));
    surroundings.io.stdout.write(texts.join(""));
  },
});

/** Texts of objects by what they are. Secrets' values are not shown unless that is asked for. */
function objectsOf(manifest: string, secrets: boolean): ReadonlyMap<string, string> {
  const objects = new Map<string, string>();
  for (const text of splitManifests(manifest)) {
    const object = loadYaml(text);
    if (object === null) continue;
    const [kind, namespace, name] = [
      textAt(object, "kind"),
      textAt(object, "metadata", "namespace"),
      textAt(object, "metadata", "name"),
    ];
    const body = text.replace(/^# Source: .*\n/, "");
    const shown = kind === "Secret" && !secrets ? body.replace(/^(\s+[\w.-]+:) .+$/gm, hidden) : body;
    objects.set([kind, namespace, name].filter((part) => part !== "").join("/"), `${shown}\n`);
  }
  return objects;
}

/** Enough to see whether a value is another. */
function hidden(line: string, key: string): string {
  if (/^\s+(name|namespace|type|kind):$/.test(key)) return line;
  let sum = 5381;
  for (const sign of line) sum = (Math.imul(sum, 33) ^ (sign.codePointAt(0) ?? 0)) >>> 0;
  return `${key} (hidden, ${sum.toString(16).padStart(8, "0")})`;
}
