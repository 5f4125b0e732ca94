import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { Failure } from "../failure.ts";
import { throwAll } from "../shared/operate-on-each.ts";

export const command = defineCommand({
  usage: "VOLUME SNAPSHOT [SNAPSHOT...]",
  summary: "Remove snapshots of a volume",
  flags: {},
  operands: { min: 2, max: Number.POSITIVE_INFINITY },
  completes: "volume",
  async run(context, { operands: [name = "", ...snapshots] }) {
    const failures: Failure[] = [];
    for (const snapshot of snapshots) {
      try {
        const path = `/boxship/volumes/${encodeURIComponent(name)}/snapshots/${encodeURIComponent(snapshot)}`;
        await context.api.call("DELETE", path);
        print(context, snapshot);
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        failures.push(error);
      }
    }
    throwAll(failures);
  },
});
