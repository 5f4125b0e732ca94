import { isObject, type JsonObject, listAt, textAt, valueAt } from "@boxship/api";
import { structJson } from "@boxship/api/go-json";
import { defineCommand } from "../../command.ts";
import { outputFlags } from "../../global-flags.ts";
import { formatPrinter, unknownFormat } from "../../print/printer.ts";
import { alignRows } from "../../print/table.ts";

export const command = defineCommand({
  usage: "",
  summary: "Experimental: Check self subject attributes",
  flags: outputFlags,
  async run(session, { flags }) {
    const print = await formatPrinter(flags);
    if (print === undefined && flags.output !== "") throw unknownFormat(flags.output);
    const body = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
    const api = await session.api();
    const answer = await api.call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", { body });
    const user = valueAt(answer, "status", "userInfo");
    if (flags.output === "json") session.print(structJson(ordered(answer as JsonObject), "    "));
    else if (print !== undefined) session.io.stdout.write(print(answer));
    else {
      const rows = [["ATTRIBUTE", "VALUE"]];
      if (textAt(user, "username") !== "") rows.push(["Username", textAt(user, "username")]);
      if (textAt(user, "uid") !== "") rows.push(["UID", textAt(user, "uid")]);
      if (listAt(user, "groups").length > 0)
        rows.push([
          "Groups",
          `[${listAt(user, "groups")
            .map((one) => textAt(one))
            .join(" ")}]`,
        ]);
      const extra = valueAt(user, "extra");
      for (const [key, value] of Object.entries(isObject(extra) ? extra : {}).sort(([a], [b]) => (a < b ? -1 : 1))) {
        rows.push([`Extra: ${key}`, `[${Array.isArray(value) ? value.map((one) => textAt(one)).join(" ") : ""}]`]);
      }
      session.io.stdout.write(alignRows(rows));
    }
  },
});

const ordered = (review: JsonObject): JsonObject => ({
  kind: review["kind"],
  apiVersion: review["apiVersion"],
  metadata: review["metadata"],
  status: review["status"],
});
