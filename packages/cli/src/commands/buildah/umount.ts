import { ApiError, isNotFound } from "../../api-client/api-error.ts";
import { defineBuildah } from "../../buildah/buildah-command.ts";
import { listWorking, workingPath } from "../../buildah/working-api.ts";
import { print } from "../../context.ts";
import { Failure } from "../../failure.ts";
import { bool } from "../../flags/flag.ts";
import { throwAll } from "../../shared/operate-on-each.ts";

export const command = defineBuildah({
  usage: "[OPTIONS] CONTAINER...",
  summary: "Unmount the root file system of the specified working containers",
  flags: { all: bool("Umount all of the currently mounted containers", { short: "a" }) },
  async run(context, { flags, operands }) {
    if (operands.length === 0 && !flags.all) throw new Failure("at least one container ID must be specified");
    if (operands.length > 0 && flags.all) {
      throw new Failure("when using the --all switch, you may not pass any container IDs");
    }
    const all = await listWorking(context);
    const names = flags.all ? all.filter(({ mountPoint }) => mountPoint !== "").map(({ id }) => id) : operands;
    const failures: Failure[] = [];
    for (const name of names) {
      try {
        const { id } = await context.api.json<{ readonly id: string }>("GET", workingPath(name));
        const path = workingPath(name, "/unmount");
        const { unmounted } = await context.api.json<{ readonly unmounted: boolean }>("POST", path);
        if (unmounted) print(context, id);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        failures.push(
          isNotFound(error) ? new Failure(`error unmounting container ${name}: container not known`) : error,
        );
      }
    }
    throwAll(failures);
  },
});
