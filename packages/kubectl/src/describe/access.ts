import { type Json, type KubeObject, listAt, textAt } from "@boxship/api";
import type { Session } from "../session.ts";
import { heading, marks } from "./config.ts";

const bracketed = (values: readonly Json[]): string => `[${values.map((one) => textAt(one)).join(" ")}]`;

export async function describeRole(_session: Session, object: KubeObject): Promise<string> {
  const lines = heading(object, false);
  marks(lines, object);
  lines.raw(
    "PolicyRule:\n  Resources\tNon-Resource URLs\tResource Names\tVerbs\n  ---------\t-----------------\t--------------\t-----\n",
  );
  const rows: { readonly key: string; readonly cells: readonly string[] }[] = [];
  const merged = new Map<string, string[]>();
  for (const rule of listAt(object, "rules")) {
    const verbs = listAt(rule, "verbs").map((one) => textAt(one));
    for (const url of listAt(rule, "nonResourceURLs")) {
      rows.push({
        key: `${bracketed(verbs)},[],[],[],[${textAt(url)}]`,
        cells: ["", `[${textAt(url)}]`, "[]", bracketed(verbs)],
      });
    }
    const names = listAt(rule, "resourceNames").map((one) => textAt(one));
    for (const group of listAt(rule, "apiGroups")) {
      for (const resource of listAt(rule, "resources")) {
        for (const name of names.length === 0 ? [""] : names) {
          const key = JSON.stringify([textAt(group), textAt(resource), name]);
          const known = merged.get(key) ?? [];
          for (const verb of verbs) if (!known.includes(verb)) known.push(verb);
          merged.set(key, known);
        }
      }
    }
  }
  for (const [key, verbs] of merged) {
    const [group = "", resource = "", name = ""] = JSON.parse(key) as string[];
    const names = name === "" ? "[]" : `[${name}]`;
    const [whole = "", ...below] = resource.split("/");
    const full = [group === "" ? whole : `${whole}.${group}`, ...below].join("/");
    rows.push({
      key: `${bracketed(verbs)},[${group}],[${resource}],${names},[]`,
      cells: [full, "[]", names, bracketed(verbs)],
    });
  }
  rows.sort((a, b) => (a.key < b.key ? -1 : 1));
  for (const { cells } of rows) lines.raw(`  ${cells.join("\t")}\n`);
  return lines.text;
}

export async function describeBinding(_session: Session, object: KubeObject): Promise<string> {
  const lines = heading(object, false);
  marks(lines, object);
  lines.raw(`Role:\n  Kind:\t${textAt(object, "roleRef", "kind")}\n  Name:\t${textAt(object, "roleRef", "name")}\n`);
  lines.raw("Subjects:\n  Kind\tName\tNamespace\n  ----\t----\t---------\n");
  for (const one of listAt(object, "subjects")) {
    lines.raw(`  ${textAt(one, "kind")}\t${textAt(one, "name")}\t${textAt(one, "namespace")}\n`);
  }
  return lines.text;
}
