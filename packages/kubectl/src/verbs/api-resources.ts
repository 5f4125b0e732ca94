import type { JsonObject } from "@boxship/api";
import { structJson } from "@boxship/api/go-json";
import { toYaml } from "@boxship/api/yaml";
import { defineCommand } from "../command.ts";
import { PlainRefusal, Refusal } from "../failure.ts";
import { bool, slice, str } from "../flags.ts";
import { toKyaml } from "../print/kyaml.ts";
import { alignRows } from "../print/table.ts";
import { apiVersionOfMapping, type Mapping, qualifiedResource } from "../resource/discovery.ts";

const FORMATS = ["json", "kyaml", "name", "wide", "yaml"];

export const command = defineCommand({
  usage: "[options]",
  summary: "Print the supported API resources on the server",
  flags: {
    "api-group": str(),
    cached: bool(),
    categories: slice(),
    namespaced: bool(true),
    "no-headers": bool(),
    output: str("", { short: "o" }),
    "show-managed-fields": bool(),
    "sort-by": str(),
    verbs: slice(),
  },
  async run(session, { flags, changed, operands, path }) {
    const { output, "sort-by": sort } = flags;
    if (output !== "" && !FORMATS.includes(output)) {
      throw new Refusal(
        `unable to match a printer suitable for the output format ${JSON.stringify(output)}, allowed formats are: ${FORMATS.join(",")}`,
      );
    }
    if (!["", "name", "kind"].includes(sort)) throw new Refusal("--sort-by accepts only name or kind");
    if (operands.length > 0) {
      throw new PlainRefusal(
        `error: unexpected arguments: [${operands.join(" ")}]\nSee '${path} -h' for help and examples`,
      );
    }
    const { mappings, groups } = (await session.mapper()).discovery;
    const preferred = new Map(groups.map(({ group, versions }) => [group, versions[0]]));
    const chosen = mappings
      .filter(
        (one) =>
          preferred.get(one.group) === one.version ||
          !mappings.some(
            (other) =>
              other.group === one.group &&
              other.resource === one.resource &&
              other.version === preferred.get(one.group),
          ),
      )
      .filter((one) => one.verbs.length > 0)
      .filter((one) => !changed.has("api-group") || one.group === flags["api-group"])
      .filter((one) => !changed.has("namespaced") || one.namespaced === flags.namespaced)
      .filter((one) => flags.verbs.every((verb) => one.verbs.includes(verb)))
      .filter((one) => flags.categories.every((category) => one.categories.includes(category)))
      .sort((a, b) => compare(a, b, sort));
    if (output === "name") for (const one of chosen) session.print(qualifiedResource(one));
    else if (output === "" || output === "wide")
      session.io.stdout.write(rows(chosen, output === "wide", flags["no-headers"]));
    else {
      const list: JsonObject = {
        kind: "APIResourceList",
        apiVersion: "v1",
        groupVersion: "",
        resources: chosen.map(described),
      };
      session.io.stdout.write(
        output === "json" ? `${structJson(list, "    ")}\n` : output === "yaml" ? toYaml(list) : toKyaml(list),
      );
    }
  },
});

function compare(a: Mapping, b: Mapping, sort: string): number {
  if (sort === "kind") return order(a.kind, b.kind);
  if (sort === "name") return order(a.resource, b.resource);
  return order(a.group, b.group) || order(a.resource, b.resource);
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const described = (one: Mapping): JsonObject => ({
  name: one.resource,
  singularName: one.singular,
  namespaced: one.namespaced,
  ...(one.group !== "" && { group: one.group }),
  version: one.version,
  kind: one.kind,
  verbs: [...one.verbs],
  ...(one.shortNames.length > 0 && { shortNames: [...one.shortNames] }),
  ...(one.categories.length > 0 && { categories: [...one.categories] }),
});

function rows(mappings: readonly Mapping[], wide: boolean, noHeaders: boolean): string {
  const header = ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND", ...(wide ? ["VERBS", "CATEGORIES"] : [])];
  const body = mappings.map((one) => [
    one.resource,
    one.shortNames.join(","),
    apiVersionOfMapping(one),
    String(one.namespaced),
    one.kind,
    ...(wide ? [[...one.verbs].sort().join(","), one.categories.join(",")] : []),
  ]);
  return alignRows(noHeaders ? body : [header, ...body]);
}
