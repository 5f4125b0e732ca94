import { isNotFound } from "../api-client/api-error.ts";
import { defineCommand } from "../command.ts";
import { Failure } from "../failure.ts";
import { bool } from "../flags/flag.ts";
import { containerPath } from "../shared/container-path.ts";
import { operateOnEach } from "../shared/operate-on-each.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Remove one or more containers",
  flags: {
    force: bool("Force the removal of a running container (uses SIGKILL)", { short: "f" }),
    link: bool("Remove the specified link", { short: "l" }),
    volumes: bool("Remove anonymous volumes associated with the container", { short: "v" }),
  },
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  completes: "container",
  async run(context, { flags, operands }) {
    const query = { v: flags.volumes, link: flags.link, force: flags.force };
    await operateOnEach(
      context,
      operands,
      async (name) => {
        const container = name.replace(/^\/+|\/+$/g, "");
        if (container === "") throw new Failure("container name cannot be empty");
        await context.api.call("DELETE", containerPath(container), { query });
      },
      // What is gone already needs no force.
      { forgive: (error) => (flags.force && isNotFound(error) ? (error as Failure).message : undefined) },
    );
  },
});
