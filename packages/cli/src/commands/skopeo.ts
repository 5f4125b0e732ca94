import { defineCommand } from "../command.ts";
import { runSkopeo } from "../skopeo/run-skopeo.ts";

export const command = defineCommand({
  usage: "COMMAND [ARG...]",
  summary: "Inspect, copy, sync and delete images anywhere, in skopeo's words",
  flags: {},
  raw: true,
  operands: { max: Number.POSITIVE_INFINITY },
  run: (context, { operands }) => runSkopeo(context, operands),
});
