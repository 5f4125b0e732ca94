import { defineCommand } from "../command.ts";
import { print } from "../context.ts";
import { list, text } from "../flags/flag.ts";

export const command = defineCommand({
  usage: "[OPTIONS] NAME",
  summary: "Create another socket of the engine, limited to a role",
  flags: {
    role: text("What its clients may do: read-only or confined (nothing that leads to the host)", {
      initial: "confined",
    }),
    label: text("Show and touch only what has this label (KEY=VALUE), and give it to what is created"),
    mount: list("Host directory that may be bind-mounted"),
    image: list("Repository whose images may be tagged, committed, pushed and removed (NAME or PREFIX/*)"),
    group: text("Group that may use it"),
    path: text("Where it is (default NAME.sock beside the engine's own)"),
  },
  operands: { min: 1, max: 1 },
  async run(context, { flags, operands: [name] }) {
    const { Path } = await context.api.json<{ readonly Path: string }>("POST", "/boxship/sockets", {
      body: {
        Name: name,
        Role: flags.role,
        Label: flags.label,
        Mounts: flags.mount,
        Images: flags.image,
        Group: flags.group,
        Path: flags.path,
      },
    });
    print(context, Path);
  },
});
