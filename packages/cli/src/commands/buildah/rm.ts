import { ApiError, isNotFound } from "../../api-client/api-error.ts";
import { defineBuildah } from "../../buildah/buildah-command.ts";
import { listWorking, workingPath } from "../../buildah/working-api.ts";
import { print } from "../../context.ts";
import { Failure } from "../../failure.ts";
import { bool } from "../../flags/flag.ts";
import { throwAll } from "../../shared/operate-on-each.ts";

export const command = defineBuildah({
  usage: "[OPTIONS] CONTAINER...",
  summary: "Remove one or more working containers",
  flags: { all: bool("Remove all containers", { short: "a" }) },
  async run(context, { flags, operands }) {
    if (operands.length === 0 && !flags.all) throw new Failure("container ID must be specified");
    if (operands.length > 0 && flags.all) {
      throw new Failure("when using the --all switch, you may not pass any containers names or IDs");
    }
    const names = flags.all ? (await listWorking(context)).map(({ id }) => id) : operands;
    const failures: Failure[] = [];
    for (const name of names) {
      try {
        const { id } = await context.api.json<{ readonly id: string }>("DELETE", workingPath(name));
        print(context, id);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        failures.push(isNotFound(error) ? new Failure(`removing container "${name}": container not known`) : error);
      }
    }
    throwAll(failures);
  },
});
