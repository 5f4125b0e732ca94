import { type KubeObject, textAt, valueAt } from "@boxship/api";
import { defineCommand } from "../command.ts";
import { Refusal } from "../failure.ts";
import { bool, duration, int, str } from "../flags.ts";
import { dryRunFlag, fileFlags, outputFlags, selectorFlag } from "../global-flags.ts";
import { parseDryRun, resultPrinter } from "../print/result.ts";
import { getObject, patchObject, replaceObject } from "../request/objects.ts";
import { type Found, forEachObject } from "./objects-of.ts";

export const command = defineCommand({
  usage: "[--resource-version=version] [--current-replicas=count] --replicas=COUNT (-f FILENAME | TYPE NAME)",
  summary: "Set a new size for a deployment, replica set, or replication controller",
  flags: {
    ...fileFlags,
    ...outputFlags,
    ...dryRunFlag,
    ...selectorFlag,
    all: bool(),
    "current-replicas": int(-1),
    replicas: int(),
    "resource-version": str(),
    timeout: duration(),
  },
  required: ["replicas"],
  async run(session, { flags, operands }) {
    const dryRun = parseDryRun(flags["dry-run"]);
    const { replicas, "current-replicas": current, "resource-version": version } = flags;
    if (replicas < 0) {
      throw new Refusal("The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0");
    }
    if (current < -1) throw new Refusal("The --current-replicas must specify an integer of -1 or greater");
    if (flags.timeout !== 0) throw new Refusal("--timeout is not supported: use kubectl rollout status");
    const print = await resultPrinter(flags, "scaled", dryRun);
    const scale = async (found: Found): Promise<KubeObject> => {
      if (dryRun === "client") return found.object;
      const options = { subresource: "scale", dryRun: dryRun === "server" };
      if (current === -1 && version === "") {
        await patchObject(session, found, "merge", { spec: { replicas } }, options);
      } else {
        const now = await getObject(session, found, "scale");
        const there = Number(valueAt(now, "spec", "replicas") ?? 0);
        if (current !== -1 && there !== current) throw new Refusal(`Expected replicas to be ${current}, was ${there}`);
        const has = textAt(now, "metadata", "resourceVersion");
        if (version !== "" && has !== version) {
          throw new Refusal(`Expected resource version to be ${version}, was ${has}`);
        }
        await replaceObject(session, found, { ...now, spec: { replicas } }, options);
      }
      return flags.output === "" || flags.output === "name" ? found.object : await getObject(session, found);
    };
    const count = await forEachObject(session, operands, flags, async (found) => {
      session.io.stdout.write(print(await scale(found)));
    });
    if (count === 0) throw new Refusal("no objects passed to scale");
  },
});
