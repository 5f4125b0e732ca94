import { type Json, type KubeObject, textAt } from "@boxship/api";
import { defineCommand } from "../command.ts";
import { intervalOf, lastSeen } from "../describe/events.ts";
import { Refusal } from "../failure.ts";
import { bool, int, slice, str } from "../flags.ts";
import { outputFlags } from "../global-flags.ts";
import { formatPrinter, listOf, unknownFormat } from "../print/printer.ts";
import { alignRows, cellText } from "../print/table.ts";
import { listObjects } from "../request/objects.ts";
import { collectionPathOf } from "../resource/discovery.ts";

export const command = defineCommand({
  usage: "[(-o|--output=)json|yaml|name] [--for TYPE/NAME] [--watch] [--types=Normal,Warning]",
  summary: "List events",
  flags: {
    ...outputFlags,
    "all-namespaces": bool(false, { short: "A" }),
    "chunk-size": int(500),
    for: str(),
    "no-headers": bool(),
    types: slice(),
    watch: bool(false, { short: "w" }),
  },
  async run(session, { flags }) {
    const print = await formatPrinter(flags);
    if (print === undefined && flags.output !== "") throw unknownFormat(flags.output);
    for (const type of flags.types)
      if (!/^(normal|warning)$/i.test(type)) throw new Refusal(`valid --types are Normal or Warning`);
    const mapper = await session.mapper();
    const mapping = mapper.known("", "events");
    const namespace = flags["all-namespaces"] ? "" : await session.namespace();
    const [type = "", name = ""] = flags.for.split("/");
    if (flags.for !== "" && name === "") throw new Refusal("--for must be in resource/name form");
    const fields = name === "" ? [] : [`involvedObject.kind=${mapper.need(type).kind}`, `involvedObject.name=${name}`];
    const wanted = new Set(flags.types.map((one) => one.toLowerCase()));
    const fits = (event: Json): boolean => wanted.size === 0 || wanted.has(textAt(event, "type").toLowerCase());
    const fieldSelector = fields.join(",");
    const events = (
      await listObjects(session, mapping, namespace, { fieldSelector, chunk: flags["chunk-size"] })
    ).filter(fits);
    const sorted = [...events].sort((a, b) => (lastSeen(a) < lastSeen(b) ? -1 : 1));
    const remembered: number[] = [];
    const row = (event: KubeObject): readonly string[] => [
      ...(flags["all-namespaces"] ? [event.metadata.namespace ?? ""] : []),
      intervalOf(event),
      textAt(event, "type"),
      textAt(event, "reason"),
      `${textAt(event, "involvedObject", "kind")}/${textAt(event, "involvedObject", "name")}`,
      cellText(textAt(event, "message").trim()),
    ];
    const header = [
      ...(flags["all-namespaces"] ? ["NAMESPACE"] : []),
      "LAST SEEN",
      "TYPE",
      "REASON",
      "OBJECT",
      "MESSAGE",
    ];
    if (print !== undefined && flags.output === "name") for (const one of sorted) session.io.stdout.write(print(one));
    else if (print !== undefined) session.io.stdout.write(print(listOf(sorted)));
    else if (sorted.length > 0) {
      const rows = sorted.map(row);
      session.io.stdout.write(alignRows(flags["no-headers"] ? rows : [header, ...rows], { remembered }));
    } else if (!flags.watch) {
      session.warn(`No events found${namespace === "" ? "." : ` in ${namespace} namespace.`}`);
    }
    if (!flags.watch) return;
    const api = await session.api();
    const seen = new Set(events.map(({ metadata }) => metadata.resourceVersion));
    for await (const change of api.watch(collectionPathOf(mapping, namespace), { query: { fieldSelector } })) {
      const event = change.object as KubeObject;
      if (
        change.type === "BOOKMARK" ||
        change.type === "DELETED" ||
        seen.has(event.metadata.resourceVersion) ||
        !fits(event)
      )
        continue;
      session.io.stdout.write(print === undefined ? alignRows([row(event)], { remembered }) : print(event));
    }
  },
});
