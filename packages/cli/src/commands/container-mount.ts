import { defineCommand } from "../command.ts";
import { parseMount } from "../container-options/mount.ts";
import { buildVolumes } from "../container-options/volumes.ts";
import { print } from "../context.ts";
import { Failure } from "../failure.ts";
import { list } from "../flags/flag.ts";
import { recreate } from "../flags/recreate.ts";
import { containerPath } from "../shared/container-path.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER",
  summary: "Add mounts to a container that exists, at once if it runs",
  flags: {
    recreate,
    mount: list("Attach a filesystem mount, as for run", { hint: "mount" }),
    volume: list("Bind mount a directory or a volume, as for run", { short: "v" }),
  },
  operands: { min: 1, max: 1 },
  completes: "container",
  async run(context, { flags, operands: [name = ""] }) {
    const { binds, anonymous } = buildVolumes(flags.volume, process.cwd());
    const bodies = [
      ...[...binds, ...Object.keys(anonymous)].map((Bind) => ({ Bind })),
      ...flags.mount.map((text) => ({ Mount: parseMount(text, process.cwd()) })),
    ];
    if (bodies.length === 0) throw new Failure("name what to mount with --volume or --mount");
    for (const body of bodies) {
      const path = `/boxship${containerPath(name, "/mounts")}`;
      const query = { recreate: flags.recreate };
      const { Destination } = await context.api.json<{ readonly Destination: string }>("POST", path, { query, body });
      print(context, Destination);
    }
  },
});
