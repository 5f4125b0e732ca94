import { isObject, type Json, type JsonObject, type KubeObject, listAt, textAt } from "@boxship/api";
import { defineCommand, type Invocation } from "../../command.ts";
import { PlainRefusal, Refusal, throwAll } from "../../failure.ts";
import { bool, int, slice, str } from "../../flags.ts";
import { fileFlags, outputFlags, selectorFlag } from "../../global-flags.ts";
import { formatPrinter, listOf, type Printer, unknownFormat } from "../../print/printer.ts";
import { alignRows } from "../../print/table.ts";
import { getObject, isNotFound, listing, listObjects } from "../../request/objects.ts";
import { collectionPathOf, type Mapping, objectPathOf } from "../../resource/discovery.ts";
import { readManifests } from "../../resource/manifests.ts";
import { expandTypes, resolveTargets, type Target } from "../../resource/targets.ts";
import type { Session } from "../../session.ts";
import { type CustomColumns, parseCustomColumns, printCustomColumns, readCustomColumns } from "./custom-columns.ts";
import { headerOf, type RowOptions, rowOf, TABLE_ACCEPT } from "./rows.ts";
import { sortByPath } from "./sort.ts";
import { watchTarget } from "./watch.ts";

const flags = {
  ...fileFlags,
  ...outputFlags,
  ...selectorFlag,
  "all-namespaces": bool(false, { short: "A" }),
  "chunk-size": int(500),
  "field-selector": str(),
  "ignore-not-found": bool(),
  "label-columns": slice({ short: "L" }),
  "no-headers": bool(),
  "output-watch-events": bool(),
  raw: str(),
  "server-print": bool(true),
  "show-kind": bool(),
  "show-labels": bool(),
  "sort-by": str(),
  subresource: str(),
  watch: bool(false, { short: "w" }),
  "watch-only": bool(),
};

export type GetFlags = Invocation<typeof flags>["flags"];

const OWN_FORMATS = ["custom-columns", "custom-columns-file", "wide"];

export const command = defineCommand({
  usage:
    "[(-o|--output=)json|yaml|kyaml|name|go-template|go-template-file|template|templatefile|jsonpath|jsonpath-as-json|jsonpath-file|custom-columns|custom-columns-file|wide] (TYPE[.VERSION][.GROUP] [NAME | -l label] | TYPE[.VERSION][.GROUP]/NAME ...) [flags]",
  summary: "Display one or many resources",
  flags,
  async run(session, { flags: given, operands, path }) {
    if (given.raw !== "") return await printRaw(session, given.raw, operands);
    if (operands.length === 0 && given.filename.length === 0 && given.kustomize === "") {
      throw new PlainRefusal(
        `You must specify the type of resource to get. Use "kubectl api-resources" for a complete list of supported resources.\n\nerror: Required resource not specified.\nUse "kubectl explain <resource>" for a detailed description of that resource (e.g. kubectl explain pods).\nSee '${path} -h' for help and examples`,
      );
    }
    if (given["output-watch-events"] && !(given.watch || given["watch-only"])) {
      throw new PlainRefusal(
        `error: --output-watch-events option can only be used with --watch or --watch-only\nSee '${path} -h' for help and examples`,
      );
    }
    const output = await outputOf(given);
    const targets = await targetsOf(session, given, operands);
    if (given.watch || given["watch-only"]) {
      if (new Set(targets.map(({ mapping }) => mapping)).size > 1 || targets.length > 1) {
        throw new Refusal("you may only specify a single resource type");
      }
      await watchTarget(session, targets[0], given, output);
    } else if (output.kind === "rows") await printRows(session, targets, given, output.wide);
    else await printObjects(session, targets, given, output, operands);
  },
});

export type Output =
  | { readonly kind: "rows"; readonly wide: boolean }
  | { readonly kind: "columns"; readonly columns: CustomColumns }
  | { readonly kind: "objects"; readonly print: Printer; readonly each: boolean };

async function outputOf(given: GetFlags): Promise<Output> {
  const [format = "", ...rest] = given.output.split("=");
  const spec = rest.join("=") || given.template;
  if (format === "custom-columns") return { kind: "columns", columns: parseCustomColumns(spec) };
  if (format === "custom-columns-file") return { kind: "columns", columns: await readCustomColumns(spec) };
  const print = await formatPrinter(given);
  if (print !== undefined) return { kind: "objects", print, each: format === "name" };
  if (format === "" || format === "wide") return { kind: "rows", wide: format === "wide" };
  throw unknownFormat(given.output, OWN_FORMATS);
}

async function targetsOf(session: Session, given: GetFlags, operands: readonly string[]): Promise<readonly Target[]> {
  if (given.filename.length > 0 || given.kustomize !== "") return await readManifests(session, given);
  const selected = given.selector !== "" || given["field-selector"] !== "";
  return await resolveTargets(session, operands, { allNamespaces: given["all-namespaces"], selected });
}

async function printRaw(session: Session, path: string, operands: readonly string[]): Promise<void> {
  if (operands.length > 0) throw new Refusal("arguments may not be passed when --raw is specified");
  const reply = await (await session.api()).open("GET", path);
  const { status, stream } = reply;
  if (status >= 400) {
    await (await session.api()).call("GET", path);
    return;
  }
  stream.setEncoding("utf8");
  const unzipped = reply.headers["content-encoding"] === "gzip";
  if (!unzipped) {
    for await (const chunk of stream) session.io.stdout.write(String(chunk));
    return;
  }
  session.io.stdout.write(JSON.stringify(await (await session.api()).call("GET", path)));
}

export const rowOptions = (given: GetFlags, wide: boolean, mapping: Mapping, withKind: boolean): RowOptions => ({
  wide,
  noHeaders: given["no-headers"],
  showLabels: given["show-labels"],
  labelColumns: given["label-columns"],
  withKind: withKind || given["show-kind"],
  withNamespace: given["all-namespaces"] && mapping.namespaced,
});

async function printRows(session: Session, targets: readonly Target[], given: GetFlags, wide: boolean): Promise<void> {
  const errors: unknown[] = [];
  const found: { readonly mapping: Mapping; readonly tables: readonly Json[] }[] = [];
  for (const group of byMapping(targets)) {
    const tables: Json[] = [];
    for (const target of group) {
      try {
        tables.push(...(await tablesOf(session, target, given)));
      } catch (error) {
        if (!(given["ignore-not-found"] && isNotFound(error))) errors.push(error);
      }
    }
    const mapping = group[0]?.mapping;
    if (mapping !== undefined && tables.length > 0) found.push({ mapping, tables });
  }
  const withKind = new Set(found.map(({ mapping }) => mapping)).size > 1;
  let written = false;
  for (const { mapping, tables } of found) {
    const options = rowOptions(given, wide, mapping, withKind);
    const rows = sortedRows(tables, given["sort-by"]).map(({ table, row }) => rowOf(table, row, mapping, options));
    if (rows.length === 0) continue;
    if (written && !options.noHeaders) session.io.stdout.write("\n");
    written = true;
    session.io.stdout.write(alignRows(options.noHeaders ? rows : [headerOf(tables[0] ?? {}, options), ...rows]));
  }
  if (!written && errors.length === 0 && !given["ignore-not-found"]) {
    const namespaced = !given["all-namespaces"] && targets.some(({ mapping }) => mapping.namespaced);
    session.warn(`No resources found${namespaced ? ` in ${await session.namespace()} namespace.` : ""}`);
  }
  throwAll(errors);
}

/** Targets of one resource that stand next to each other. */
function byMapping(targets: readonly Target[]): readonly (readonly Target[])[] {
  const groups: Target[][] = [];
  for (const target of targets) {
    const last = groups.at(-1);
    if (last?.[0]?.mapping === target.mapping) last.push(target);
    else groups.push([target]);
  }
  return groups;
}

function sortedRows(tables: readonly Json[], path: string): readonly { readonly table: Json; readonly row: Json }[] {
  const rows = tables.flatMap((table) => listAt(table, "rows").map((row) => ({ table, row })));
  if (path === "") return rows;
  return sortByPath(rows, path, ({ row }) => (isObject(row) ? (row["object"] ?? null) : null));
}

/** The server's tables of a target: one per chunk. */
async function tablesOf(session: Session, target: Target, given: GetFlags): Promise<readonly Json[]> {
  const api = await session.api();
  const { mapping, namespace, name } = target;
  const includeObject = given["sort-by"] === "" ? undefined : "Object";
  if (name !== "") {
    const path = objectPathOf(mapping, namespace, name, given.subresource);
    return [await api.call("GET", path, { accept: TABLE_ACCEPT, query: { includeObject } })];
  }
  const tables: Json[] = [];
  let next: string | undefined;
  do {
    const query = {
      includeObject,
      labelSelector: given.selector,
      fieldSelector: given["field-selector"],
      limit: given["chunk-size"] === 0 || given["sort-by"] !== "" ? undefined : given["chunk-size"],
      continue: next,
    };
    const path = collectionPathOf(mapping, namespace);
    const table = await listing(mapping, query, () => api.call("GET", path, { accept: TABLE_ACCEPT, query }));
    tables.push(table);
    next = textAt(table, "metadata", "continue") || undefined;
  } while (next !== undefined);
  return tables;
}

async function printObjects(
  session: Session,
  targets: readonly Target[],
  given: GetFlags,
  output: Exclude<Output, { kind: "rows" }>,
  operands: readonly string[],
): Promise<void> {
  const errors: unknown[] = [];
  const objects: KubeObject[] = [];
  for (const target of targets) {
    try {
      objects.push(...(await objectsOf(session, target, given)));
    } catch (error) {
      if (!(given["ignore-not-found"] && isNotFound(error))) errors.push(error);
    }
  }
  const sorted = given["sort-by"] === "" ? objects : sortByPath(objects, given["sort-by"], (object) => object);
  const single = isSingle(session, await session.mapper(), targets, operands);
  if (output.kind === "columns") {
    if (sorted.length > 0 || !single || errors.length === 0) {
      const text = printCustomColumns(output.columns, sorted, given["no-headers"]);
      if (!(errors.length > 0 && sorted.length === 0)) session.io.stdout.write(text);
    }
  } else if (output.each) for (const object of sorted) session.io.stdout.write(output.print(object));
  else if (single) {
    if (sorted[0] !== undefined) session.io.stdout.write(output.print(sorted[0]));
  } else if (!(errors.length > 0 && sorted.length === 0 && targets.every(({ name }) => name !== ""))) {
    const list: JsonObject = listOf(sorted);
    session.io.stdout.write(output.print(list));
  } else if (errors.length > 0) session.io.stdout.write(output.print(listOf([])));
  throwAll(errors);
}

/** Whether the words name exactly one object: it is printed without a list around it. */
function isSingle(
  _session: Session,
  mapper: Parameters<typeof expandTypes>[0],
  targets: readonly Target[],
  operands: readonly string[],
): boolean {
  if (targets.length !== 1 || targets[0]?.name === "") return false;
  return (
    operands.length === 0 || operands[0]?.includes("/") === true || expandTypes(mapper, operands[0] ?? "").length === 1
  );
}

async function objectsOf(session: Session, target: Target, given: GetFlags): Promise<readonly KubeObject[]> {
  if (target.name !== "") return [await getObject(session, target, given.subresource)];
  return await listObjects(session, target.mapping, target.namespace, {
    labelSelector: given.selector,
    fieldSelector: given["field-selector"],
    chunk: given["chunk-size"],
  });
}
