import { isObject, type JsonObject, listAt, textAt } from "@boxship/api";
import { structJson } from "@boxship/api/go-json";
import { defineCommand } from "../../command.ts";
import { configEntry, SECTIONS } from "../../config/kubeconfig.ts";
import { Refusal } from "../../failure.ts";
import { bool, str } from "../../flags.ts";
import { outputFlags } from "../../global-flags.ts";
import { formatPrinter, unknownFormat } from "../../print/printer.ts";

/** Never shown unless `--raw` asks for it, each with what stands in its place. */
const HIDDEN: Readonly<Record<string, string>> = {
  "certificate-authority-data": "DATA+OMITTED",
  "client-certificate-data": "DATA+OMITTED",
  "client-key-data": "DATA+OMITTED",
  token: "REDACTED",
  password: "REDACTED",
};

export const command = defineCommand({
  usage: "[options]",
  summary: "Display merged kubeconfig settings or a specified kubeconfig file",
  flags: {
    ...outputFlags,
    flatten: bool(),
    merge: bool(true),
    minify: bool(),
    raw: bool(),
    output: str("yaml", { short: "o" }),
  },
  async run(session, { flags }) {
    if (flags.flatten) throw new Refusal("--flatten is not supported");
    const print = await formatPrinter(flags);
    if (print === undefined) throw unknownFormat(flags.output);
    let config = await session.config();
    if (flags.minify) config = minified(config, session.flags.context);
    if (!flags.raw) config = withoutSecrets(config);
    const shown = ordered(config);
    session.io.stdout.write(flags.output === "json" ? `${structJson(shown, "    ")}\n` : print(shown));
  },
});

function minified(config: JsonObject, chosen: string): JsonObject {
  const name = chosen || textAt(config, "current-context");
  const context = configEntry(config, "contexts", name);
  if (context === undefined) {
    throw new Refusal(name === "" ? "current-context must exist in order to minify" : `cannot locate context ${name}`);
  }
  const kept = { contexts: name, clusters: textAt(context, "cluster"), users: textAt(context, "user") };
  const result: JsonObject = { ...config, "current-context": name };
  for (const section of SECTIONS) {
    result[section] = listAt(config, section).filter((one) => textAt(one, "name") === kept[section]);
  }
  return result;
}

function withoutSecrets(config: JsonObject): JsonObject {
  const result: JsonObject = { ...config };
  for (const section of SECTIONS) {
    result[section] = listAt(config, section).map((entry) => {
      const word = section.slice(0, -1);
      if (!isObject(entry) || !isObject(entry[word])) return entry;
      const shown = Object.entries(entry[word]).map(([field, value]) => [field, HIDDEN[field] ?? value ?? null]);
      return { ...entry, [word]: Object.fromEntries(shown) as JsonObject };
    });
  }
  return result;
}

/** Fields in the order of Go's structs. */
function ordered(config: JsonObject): JsonObject {
  const result: JsonObject = { kind: "Config", apiVersion: "v1" };
  for (const section of ["clusters", "users", "contexts"] as const) {
    const entries = listAt(config, section).map((entry) => ({
      name: textAt(entry, "name"),
      [section.slice(0, -1)]: inOrder(isObject(entry) ? entry[section.slice(0, -1)] : {}),
    }));
    result[section] = entries.length === 0 ? null : entries;
  }
  result["current-context"] = textAt(config, "current-context");
  return result;
}

const FIELDS = [
  "server",
  "tls-server-name",
  "insecure-skip-tls-verify",
  "certificate-authority",
  "certificate-authority-data",
  "proxy-url",
  "client-certificate",
  "client-certificate-data",
  "client-key",
  "client-key-data",
  "token",
  "tokenFile",
  "cluster",
  "user",
  "namespace",
];

function inOrder(value: unknown): JsonObject {
  if (!isObject(value)) return {};
  const rank = (field: string): number => (FIELDS.includes(field) ? FIELDS.indexOf(field) : FIELDS.length);
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => rank(a) - rank(b)));
}
