import { createHmac, randomBytes } from "node:crypto";
import { isObject, type Json, listAt, textAt } from "@boxship/api";
import { loadYaml, toYaml } from "@boxship/api/yaml";
import { unifiedDiff } from "@boxship/base";
import { valueFlags } from "../cluster-flags.ts";
import { defineCommand } from "../command.ts";
import { bool } from "../flags.ts";
import { splitManifests } from "../manifest/manifest.ts";
import { currentOf } from "../release/actions.ts";
import { actionOptions, openAction } from "../release-flags.ts";
import { chartFlags, renderFlags } from "../render-flags.ts";
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
    const sum = flags["show-secrets"] ? undefined : secretSum();
    const before = objectsOf(currentOf(history)?.manifest ?? "", sum);
    const after = objectsOf(manifest, sum);
    const names = [...new Set([...before.keys(), ...after.keys()])].sort();
    const texts = names.map((one) => unifiedDiff(before.get(one) ?? "", after.get(one) ?? "", one));
    surroundings.io.stdout.write(texts.join(""));
  },
});

/** Texts of objects by what they are. @param sum what is shown for values of Secrets; themselves without it */
function objectsOf(manifest: string, sum: Sum | undefined): ReadonlyMap<string, string> {
  const objects = new Map<string, string>();
  for (const text of splitManifests(manifest)) {
    const object = loadYaml(text);
    if (object === null) continue;
    const [kind, namespace, name] = [
      textAt(object, "kind"),
      textAt(object, "metadata", "namespace"),
      textAt(object, "metadata", "name"),
    ];
    const hidden = sum === undefined ? object : withoutSecrets(object, sum);
    const shown = hidden === object ? `${text.replace(/^# Source: .*\n/, "")}\n` : toYaml(hidden);
    objects.set([kind, namespace, name].filter((part) => part !== "").join("/"), shown);
  }
  return objects;
}

type Sum = (value: Json) => string;

/** An object itself; Secrets, also within lists, without their values, but with enough to see whether one is another. */
function withoutSecrets(object: Json, sum: Sum): Json {
  if (!isObject(object)) return object;
  const { kind, items } = object;
  if (kind === "Secret") return withoutValues(object, sum);
  if (kind === "SecretList") return { ...object, items: listAt(object, "items").map((one) => withoutValues(one, sum)) };
  if (kind !== "List" || !Array.isArray(items)) return object;
  const shown = items.map((one) => withoutSecrets(one, sum));
  return shown.every((one, at) => one === items[at]) ? object : { ...object, items: shown };
}

function withoutValues(secret: Json, sum: Sum): Json {
  if (!isObject(secret)) return secret;
  const hidden = (values: Json): Json =>
    isObject(values)
      ? Object.fromEntries(Object.entries(values).map(([key, value]) => [key, sum(value ?? null)]))
      : sum(values);
  return Object.fromEntries(
    Object.entries(secret).map(([field, value = null]) => [
      field,
      field === "data" || field === "stringData" ? hidden(value) : value,
    ]),
  );
}

/** Under a key that nobody gets to know: short values could be guessed by their sums. */
function secretSum(): Sum {
  const key = randomBytes(32);
  return (value) => {
    const sum = createHmac("sha256", key).update(JSON.stringify(value)).digest("hex");
    return `(hidden, ${sum.slice(0, 8)})`;
  };
}
