import { isObject, type Json, listAt, textAt } from "@boxship/api";
import { Refusal } from "../../failure.ts";
import { alignRows } from "../../print/table.ts";
import { apiVersionOfMapping, collectionPathOf } from "../../resource/discovery.ts";
import type { Target } from "../../resource/targets.ts";
import type { Session } from "../../session.ts";
import { type GetFlags, type Output, rowOptions } from "./get.ts";
import { headerOf, rowOf, TABLE_ACCEPT } from "./rows.ts";

/** What is there, and then every change, until somebody ends it. */
export async function watchTarget(
  session: Session,
  target: Target | undefined,
  given: GetFlags,
  output: Output,
): Promise<void> {
  if (target === undefined) throw new Refusal("nothing to watch");
  const { mapping, namespace, name } = target;
  const api = await session.api();
  const path = collectionPathOf(mapping, namespace);
  const fields = [given["field-selector"], name === "" ? "" : `metadata.name=${name}`].filter((one) => one !== "");
  const query = { labelSelector: given.selector, fieldSelector: fields.join(",") };
  const accept = output.kind === "rows" ? TABLE_ACCEPT : "application/json";
  if (name !== "") await api.call("GET", `${path}/${encodeURIComponent(name)}`);
  const list = await api.call("GET", path, { accept, query });
  const tell = teller(session, target, given, output);
  if (given["watch-only"]) tell(list, "", false);
  else tell(list, "ADDED", true);
  const resourceVersion = textAt(list, "metadata", "resourceVersion");
  for await (const { type, object } of api.watch(path, { accept, query: { ...query, resourceVersion } })) {
    if (type === "ERROR") throw new Refusal(textAt(object, "message"));
    if (type !== "BOOKMARK") tell(object, type, true);
  }
}

/** Prints a table, a list or an object. Columns keep the widths that they had. */
function teller(session: Session, { mapping }: Target, given: GetFlags, output: Output) {
  const remembered: number[] = [];
  let columns: Json | undefined;
  let headed = false;
  const events = given["output-watch-events"];
  const withHeader = (header: readonly string[], rows: readonly (readonly string[])[]): void => {
    const shown = headed || given["no-headers"] || rows.length === 0 ? rows : [header, ...rows];
    headed ||= rows.length > 0;
    session.io.stdout.write(alignRows(shown, { remembered }));
  };
  return (value: Json, type: string, print: boolean): void => {
    const event = events ? [type] : [];
    if (output.kind === "rows") {
      if (listAt(value, "columnDefinitions").length > 0) columns = value;
      if (!print || columns === undefined) return;
      const table = columns;
      const options = rowOptions(given, output.wide, mapping, false);
      const rows = listAt(value, "rows").map((row) => [...event, ...rowOf(table, row, mapping, options)]);
      withHeader(headerOf(table, options, events), rows);
      return;
    }
    if (!print) return;
    const items = isObject(value) && Array.isArray(value["items"]) ? value["items"] : [value];
    for (const item of items) {
      const typed = { apiVersion: apiVersionOfMapping(mapping), kind: mapping.kind, ...(isObject(item) ? item : {}) };
      if (output.kind === "columns") withHeader(output.columns.header, [output.columns.row(typed)]);
      else session.io.stdout.write(output.print(events ? { object: typed, type } : typed));
    }
  };
}
