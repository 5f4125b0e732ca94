import { defineBuildah } from "../../buildah/buildah-command.ts";
import { listWorking, onWorking } from "../../buildah/working-api.ts";
import { print } from "../../context.ts";
import { Failure } from "../../failure.ts";
import { bool } from "../../flags/flag.ts";
import { throwAll } from "../../shared/operate-on-each.ts";

interface Mounted {
  readonly container: string;
  readonly mountPoint: string;
}

export const command = defineBuildah({
  usage: "[OPTIONS] [CONTAINER...]",
  summary: "Mount a working container's root filesystem, or list those that are mounted",
  flags: { json: bool("Output in JSON format") },
  async run(context, { flags, operands }) {
    const mounted: Mounted[] = [];
    const failures: Failure[] = [];
    if (operands.length === 0) {
      for (const { name, mountPoint } of await listWorking(context)) {
        if (mountPoint !== "") mounted.push({ container: name, mountPoint });
      }
    }
    for (const container of operands) {
      try {
        const { path } = await onWorking<{ readonly path: string }>(context, "POST", container, "/mount");
        mounted.push({ container, mountPoint: path });
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        failures.push(error);
      }
    }
    if (flags.json) print(context, JSON.stringify(mounted, undefined, 4));
    else {
      for (const { container, mountPoint } of mounted) {
        print(context, operands.length === 1 ? mountPoint : `${container} ${mountPoint}`);
      }
    }
    throwAll(failures);
  },
});
