import { type Json, type JsonObject, listAt, textAt, timestamp } from "@boxship/api";
import { type Command, defineCommand } from "../command.ts";
import { Refusal } from "../failure.ts";
import { bool } from "../flags.ts";
import { fileFlags, outputFlags } from "../global-flags.ts";
import { resultPrinter } from "../print/result.ts";
import { replaceObject } from "../request/objects.ts";
import { forEachObject } from "./objects-of.ts";

function decide(type: "Approved" | "Denied", verb: "approve" | "deny"): Command {
  const done = type.toLowerCase();
  return defineCommand({
    usage: "(-f FILENAME | NAME)",
    summary: `${verb === "approve" ? "Approve" : "Deny"} a certificate signing request`,
    flags: { ...fileFlags, ...outputFlags, force: bool() },
    async run(session, { flags, operands }) {
      if (operands.length === 0 && flags.filename.length === 0)
        throw new Refusal("one or more CSRs must be specified as <name> or -f <filename>");
      const print = await resultPrinter(flags, done, "none");
      const words = operands.length === 0 ? [] : ["certificatesigningrequests", ...operands];
      await forEachObject(session, words, flags, async (found) => {
        const before = listAt(found.object, "status", "conditions");
        const has = (which: string): boolean => before.some((one) => textAt(one, "type") === which);
        const other = type === "Approved" ? "Denied" : "Approved";
        if (has(other) && !flags.force)
          throw new Refusal(`certificate signing request ${JSON.stringify(found.name)} is already ${other}`);
        if (has(type) && !flags.force) return void session.io.stdout.write(print(found.object));
        const condition: Json = {
          type,
          status: "True",
          reason: type === "Approved" ? "KubectlApprove" : "KubectlDeny",
          message: `This CSR was ${done} by kubectl certificate ${verb}.`,
          lastUpdateTime: timestamp(Date.now()),
        };
        const status: JsonObject = {
          ...(found.object["status"] as JsonObject | undefined),
          conditions: [...before.filter((one) => textAt(one, "type") !== type), condition],
        };
        const changed = await replaceObject(session, found, { ...found.object, status }, { subresource: "approval" });
        session.io.stdout.write(print(changed));
      });
    },
  });
}

export const approve = decide("Approved", "approve");
export const deny = decide("Denied", "deny");
